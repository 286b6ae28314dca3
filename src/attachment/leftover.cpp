// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/leftover.hpp"

#include <algorithm>

#include "cnio/attachment/addressing.hpp"
#include "cnio/attachment/identity.hpp"

namespace cnio::attachment {
namespace {

using protocol::AddResult;
using protocol::Request;

std::string alias_of(const Request& request) { return host_end_alias(request.network, request.attachment); }

bool lists_interface(const AddResult& result, const std::string& name) {
  return std::any_of(result.interfaces.begin(), result.interfaces.end(),
                     [&](const auto& entry) { return entry.name == name && entry.sandbox.empty(); });
}

bool was_recorded(const std::vector<RecordedPair>& pairs, const std::string& name) {
  return std::any_of(pairs.begin(), pairs.end(), [&](const RecordedPair& pair) { return pair.host_name == name; });
}

// Why a veth whose host end is `host_end` is not this network's; empty if it is. Of one that we have no record of.
Result<std::string> why_foreign(net::Netlink& host, const net::Link& host_end, const Request& request,
                                const Network& network, const std::optional<AddResult>& prev_result) {
  if (host_end.alias.starts_with(kAliasMark)) {
    if (host_end.alias == alias_of(request)) return std::string();
    return "its host end " + host_end.name + " belongs to \"" + host_end.alias + "\"";
  }
  // Made by the reference, which leaves no mark: known by the recorded result or, without one, by the bridge.
  if (prev_result && !prev_result->interfaces.empty()) {
    if (lists_interface(*prev_result, host_end.name)) return std::string();
    return "its host end " + host_end.name + " is not in prevResult";
  }
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, network.bridge));
  const net::IfIndex expected = bridge ? bridge->index : net::IfIndex::kNone;
  if (host_end.master == expected) return std::string();
  if (!network.ports) return "its host end " + host_end.name + " is a port of something";
  return "its host end " + host_end.name + " is not in bridge " + network.bridge;
}

// By its name, where the sandbox cannot tell: the one that the result says, or one that it has by rule. The alias says
// whether it is ours. An ADD that was killed before it could mark the link leaves one with the name by rule.
Result<std::optional<net::Link>> find_marked_host_end(net::Netlink& host, const Request& request,
                                                      const Network& network,
                                                      const std::optional<AddResult>& prev_result) {
  std::vector<std::string> names;
  for (unsigned attempt = 0; attempt < kNameAttempts; ++attempt)
    names.push_back(host_end_name(request.network, request.attachment, network.host_prefix, attempt));
  // The prefix may have been another then.
  for (const auto& entry : prev_result ? prev_result->interfaces : std::vector<protocol::Interface>()) {
    if (entry.sandbox.empty() && std::find(names.begin(), names.end(), entry.name) == names.end())
      names.push_back(entry.name);
  }
  CNIO_LET(const std::optional<net::Link> bridge, net::find_link(host, network.bridge));
  for (size_t i = 0; i < names.size(); ++i) {
    CNIO_LET(std::optional<net::Link> link, net::find_link(host, names[i]));
    if (!link) continue;
    const bool marked = link->alias.starts_with(kAliasMark);
    const bool unmarked = i < kNameAttempts && !marked && link->kind == "veth" && is_in_place(network, *link, bridge);
    if (unmarked || link->alias == alias_of(request)) return link;
  }
  return std::optional<net::Link>();
}

// By what is on the links, for an attachment without a record.
Result<Leftover> find_unrecorded(net::Netlink& host, std::optional<net::Sandbox>& sandbox, const Request& request,
                                 const Network& network, const std::optional<AddResult>& prev_result) {
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
        CNIO_LET(left.foreign, why_foreign(host, *host_end, request, network, prev_result));
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
  CNIO_LET(const auto marked, find_marked_host_end(host, request, network, prev_result));
  if (marked) left.host_ends.push_back(*marked);
  return left;
}

}  // namespace

bool is_in_place(const Network& network, const net::Link& link, const std::optional<net::Link>& bridge) {
  if (!network.ports) return link.master == net::IfIndex::kNone;
  return bridge && link.master == bridge->index;
}

Result<Leftover> find_leftover(net::Netlink& host, std::optional<net::Sandbox>& sandbox, const Request& request,
                               const Network& network, const std::vector<RecordedPair>& pairs,
                               const std::optional<AddResult>& prev_result) {
  if (pairs.empty()) return find_unrecorded(host, sandbox, request, network, prev_result);
  Leftover left;
  left.recorded = true;
  for (const RecordedPair& pair : pairs) {
    CNIO_LET(const auto link, find_recorded_end(host, pair));
    if (link) left.host_ends.push_back(*link);
    left.owned.push_back({pair.addresses, pair.sandbox_mac});
  }
  if (!left.host_ends.empty()) return left;
  // They are gone. There may be one that could not be recorded, with our mark; or one that the reference has made
  // since, whose DEL took ours and left the record. That has no mark, and another name than those we made.
  CNIO_LET(Leftover other, find_unrecorded(host, sandbox, request, network, prev_result));
  for (net::Link& link : other.host_ends) {
    const bool by_reference = !link.alias.starts_with(kAliasMark) && prev_result &&
                              lists_interface(*prev_result, link.name) && !was_recorded(pairs, link.name);
    if (by_reference) {  // what was recorded is of a life that is over
      left.recorded = false;
      left.owned = other.owned;
    }
    if (by_reference || link.alias == alias_of(request)) left.host_ends.push_back(std::move(link));
  }
  return left;
}

}  // namespace cnio::attachment
