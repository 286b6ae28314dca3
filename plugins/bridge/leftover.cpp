// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "bridge/addressing.hpp"
#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using attachment::RecordedPair;
using protocol::AddResult;
using protocol::Attachment;
using protocol::Request;

std::string alias_of(const Request& request) { return host_end_alias(request.network, request.attachment); }

bool lists_interface(const AddResult& result, const std::string& name) {
  return std::any_of(result.interfaces.begin(), result.interfaces.end(),
                     [&](const auto& entry) { return entry.name == name && entry.sandbox.empty(); });
}

// Why a veth whose host end is `host_end` is not this network's; empty if it is. Of one that we have no record of.
Result<std::string> why_foreign(net::Netlink& host, const net::Link& host_end, const Request& request,
                                const Config& config, const std::optional<AddResult>& prev_result) {
  if (host_end.alias.starts_with(kAliasMark)) {
    if (host_end.alias == alias_of(request)) return std::string();
    return "its host end " + host_end.name + " belongs to \"" + host_end.alias + "\"";
  }
  // Made by the reference, which leaves no mark: known by the recorded result or, without one, by the bridge.
  if (prev_result && !prev_result->interfaces.empty()) {
    if (lists_interface(*prev_result, host_end.name)) return std::string();
    return "its host end " + host_end.name + " is not in prevResult";
  }
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, config.bridge));
  const net::IfIndex expected = bridge ? bridge->index : net::IfIndex::kNone;
  if (host_end.master == expected) return std::string();
  return "its host end " + host_end.name + " is not in bridge " + config.bridge;
}

// By its name, where the sandbox cannot tell: the one that the result says, or one that it has by rule. The alias says
// whether it is ours. An ADD that was killed before it could mark the link leaves one with the name by rule.
Result<std::optional<net::Link>> find_marked_host_end(net::Netlink& host, const Request& request, const Config& config,
                                                      const std::optional<AddResult>& prev_result) {
  std::vector<std::string> names;
  for (unsigned attempt = 0; attempt < kNameAttempts; ++attempt)
    names.push_back(host_end_name(request.network, request.attachment, config.host_prefix, attempt));
  // The prefix may have been another then.
  for (const auto& entry : prev_result ? prev_result->interfaces : std::vector<protocol::Interface>()) {
    if (entry.sandbox.empty() && std::find(names.begin(), names.end(), entry.name) == names.end())
      names.push_back(entry.name);
  }
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, config.bridge));
  for (size_t i = 0; i < names.size(); ++i) {
    CNIO_LET(std::optional<net::Link> link, net::find_link(host, names[i]));
    if (!link) continue;
    const bool marked = link->alias.starts_with(kAliasMark);
    const bool unmarked =
        i < kNameAttempts && !marked && link->kind == "veth" && bridge && link->master == bridge->index;
    if (unmarked || link->alias == alias_of(request)) return link;
  }
  return std::optional<net::Link>();
}

// By what is on the links, for an attachment without a record.
Result<Leftover> find_unrecorded(net::Netlink& host, std::optional<net::Sandbox>& sandbox, const Request& request,
                                 const Config& config, const std::optional<AddResult>& prev_result) {
  Leftover left;
  const Recorded told = recorded_attachment(prev_result, request.attachment.ifname);
  left.owned.push_back({told.addresses, told.mac});
  if (sandbox) {
    CNIO_LET(const std::optional<net::Link> link, net::find_link(sandbox->route(), request.attachment.ifname));
    if (link) {
      CNIO_LET(const std::optional<net::Link> host_end, sandbox->find_host_end(host, *link));
      if (!host_end) {
        left.foreign = "it is no veth with an end on this host";
      } else {
        CNIO_LET(left.foreign, why_foreign(host, *host_end, request, config, prev_result));
        left.former_network = network_in_alias(host_end->alias, request.attachment);
      }
      if (left.foreign.empty()) {
        left.host_ends.push_back(*host_end);
        return left;
      }
      left.foreign = "interface " + request.attachment.ifname + " left alone: " + left.foreign;
    }
  }
  // The sandbox is gone or lost its interface, yet a process may keep the namespace, and so the pair, alive.
  CNIO_LET(const auto marked, find_marked_host_end(host, request, config, prev_result));
  if (marked) left.host_ends.push_back(*marked);
  return left;
}

}  // namespace

std::string mark_of(const std::string& network) { return std::string(kAliasMark) + network + "/"; }

std::optional<std::string> network_in_alias(const std::string& alias, const Attachment& attachment) {
  const std::string mark(kAliasMark);
  const std::string end = "/" + attachment.text();
  if (!alias.starts_with(mark) || !alias.ends_with(end) || alias.size() <= mark.size() + end.size())
    return std::nullopt;
  return alias.substr(mark.size(), alias.size() - mark.size() - end.size());
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

Result<Leftover> find_leftover(net::Netlink& host, std::optional<net::Sandbox>& sandbox, const Request& request,
                               const Config& config, const std::vector<RecordedPair>& pairs,
                               const std::optional<AddResult>& prev_result) {
  if (pairs.empty()) return find_unrecorded(host, sandbox, request, config, prev_result);
  Leftover left;
  left.recorded = true;
  for (const RecordedPair& pair : pairs) {
    CNIO_LET(const auto link, find_recorded_end(host, pair));
    if (link) left.host_ends.push_back(*link);
    left.owned.push_back({pair.addresses, pair.sandbox_mac});
  }
  if (!left.host_ends.empty()) return left;
  // They are gone. There may be one that could not be recorded: only one with our mark is believed then.
  CNIO_LET(Leftover other, find_unrecorded(host, sandbox, request, config, prev_result));
  for (net::Link& link : other.host_ends) {
    if (link.alias == alias_of(request)) left.host_ends.push_back(std::move(link));
  }
  return left;
}

Result<std::vector<net::Link>> find_former_ends(net::Netlink& host, const Config& config,
                                                const std::vector<RecordedPair>& pairs, const RecordedPair& own) {
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
  const auto name = [&](unsigned attempt) {
    return host_end_name(own.network, own.attachment, config.host_prefix, attempt);
  };
  for (unsigned attempt = 0; attempt < kNameAttempts && own.host_name != name(0); ++attempt) {
    CNIO_LET(const auto link, net::find_link(host, name(attempt)));
    if (link && link->alias == host_end_alias(own.network, own.attachment)) keep(link);
  }
  return former;
}

Result<bool> has_other_end(net::Netlink& host, const Config& config, const std::vector<RecordedPair>& pairs,
                           const RecordedPair& own) {
  CNIO_LET(const auto former, find_former_ends(host, config, pairs, own));
  if (!former.empty()) return true;
  CNIO_LET(const std::vector<net::Link> links, net::list_links(host));
  const std::string alias = host_end_alias(own.network, own.attachment);
  return std::any_of(links.begin(), links.end(), [&](const net::Link& link) {
    return link.kind == "veth" && link.alias == alias && link.mac != own.host_mac && link.index != own.host_index;
  });
}

}  // namespace cnio::bridge
