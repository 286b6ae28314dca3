// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/identity.hpp"

#include <algorithm>

#include "cnio/base/sha512.hpp"

namespace cnio::attachment {

using protocol::Attachment;

std::string host_end_name(const std::string& network, const Attachment& attachment, const std::string& prefix,
                          unsigned attempt) {
  std::string identity = network + '\0' + attachment.container_id + '\0' + attachment.ifname;
  if (attempt != 0) identity.append(1, '\0').append(std::to_string(attempt));
  return prefix + sha512_hex(identity, kNameDigits);
}

std::string host_end_alias(const std::string& network, const Attachment& attachment) {
  const std::string whole = mark_of(network) + attachment.text();
  if (whole.size() < kMaxAlias) return whole;  // as long as that, it would look like one that was cut
  // Two that begin alike must not be one.
  const std::string digest = sha512_hex(whole, kAliasDigits);
  return whole.substr(0, kMaxAlias - 1 - digest.size()) + "#" + digest;
}

std::string mark_of(const std::string& network) { return std::string(kAliasMark) + network + "/"; }

std::optional<std::string> network_in_alias(const std::string& alias, const Attachment& attachment) {
  const std::string mark(kAliasMark);
  const std::string end = std::string("/").append(attachment.text());
  if (!alias.starts_with(mark) || !alias.ends_with(end) || alias.size() <= mark.size() + end.size())
    return std::nullopt;
  return alias.substr(mark.size(), alias.size() - mark.size() - end.size());
}

// One that was cut is not what its owner would have.
std::optional<firewall::RuleOwner> owner_in_alias(const std::string& alias) {
  if (!alias.starts_with(kAliasMark)) return std::nullopt;
  auto owner = firewall::owner_in_text(std::string_view(alias).substr(kAliasMark.size()));
  if (owner && (owner->network.empty() || host_end_alias(owner->network, owner->attachment) != alias)) owner.reset();
  return owner;
}

bool is_gateway_port(const net::Link& port, const std::string& bridge) {
  return port.kind == "veth" && port.alias.starts_with("cnio gateway of " + bridge + ".");
}

bool is_recorded_end(const net::Link& link, const RecordedPair& pair) {
  if (link.kind != "veth") return false;
  const bool marked = link.alias == host_end_alias(pair.network, pair.attachment);
  if (pair.host_index != net::IfIndex::kNone) {
    return link.index == pair.host_index &&
           (link.mac == pair.host_mac || link.name == pair.host_name || marked || link.peer == pair.sandbox_index);
  }
  for (unsigned attempt = 0; attempt < kNameAttempts; ++attempt) {
    if (link.name != host_end_name(pair.network, pair.attachment, pair.prefix, attempt)) continue;
    return link.mac == pair.host_mac || marked;
  }
  return false;
}

Result<std::optional<net::Link>> find_recorded_end(net::Netlink& host, const RecordedPair& pair) {
  if (pair.host_index != net::IfIndex::kNone) {
    CNIO_LET(std::optional<net::Link> link, net::find_link(host, pair.host_index));
    if (link && !is_recorded_end(*link, pair)) link.reset();
    return link;
  }
  for (unsigned attempt = 0; attempt < kNameAttempts; ++attempt) {
    CNIO_LET(auto link, net::find_link(host, host_end_name(pair.network, pair.attachment, pair.prefix, attempt)));
    if (link && is_recorded_end(*link, pair)) return link;
  }
  return std::optional<net::Link>();
}

Result<std::vector<net::Link>> find_former_ends(net::Netlink& host, const std::vector<RecordedPair>& pairs,
                                                const RecordedPair& own) {
  std::vector<net::Link> former;
  const auto keep = [&](const std::optional<net::Link>& link) {
    const auto same = [&](const net::Link& other) { return other.index == link->index; };
    if (!link || link->mac == own.host_mac || std::any_of(former.begin(), former.end(), same)) return;
    former.push_back(*link);
  };
  for (const RecordedPair& pair : pairs) {
    if (pair.network != own.network || pair.host_mac == own.host_mac) continue;
    CNIO_LET(const auto link, find_recorded_end(host, pair));
    keep(link);
  }
  // Those of an older version, which would have kept us from the first name.
  const auto name = [&](unsigned attempt) { return host_end_name(own.network, own.attachment, own.prefix, attempt); };
  for (unsigned attempt = 0; attempt < kNameAttempts && own.host_name != name(0); ++attempt) {
    CNIO_LET(const auto link, net::find_link(host, name(attempt)));
    if (link && link->alias == host_end_alias(own.network, own.attachment)) keep(link);
  }
  return former;
}

Result<bool> has_other_end(net::Netlink& host, const std::vector<RecordedPair>& pairs, const RecordedPair& own) {
  CNIO_LET(const auto former, find_former_ends(host, pairs, own));
  if (!former.empty()) return true;
  CNIO_LET(const std::vector<net::Link> links, net::list_links(host));
  const std::string alias = host_end_alias(own.network, own.attachment);
  return std::any_of(links.begin(), links.end(), [&](const net::Link& link) {
    return link.kind == "veth" && link.alias == alias && link.mac != own.host_mac && link.index != own.host_index;
  });
}

}  // namespace cnio::attachment
