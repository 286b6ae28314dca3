// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bandwidth/compare.hpp"

#include <algorithm>

#include "cnio/attachment/compare.hpp"

#include "bandwidth/plan.hpp"
#include "bandwidth/shaping.hpp"

namespace cnio::bandwidth {
namespace {

using attachment::differs;

constexpr char kNoLimit[] = "no limit, for none is asked for";

std::string describe(uint64_t rate, uint32_t limit, uint64_t ticks) {
  return "a token bucket of " + std::to_string(rate) + " byte/s that takes " + std::to_string(ticks) +
         " ticks to fill, with a queue of " + std::to_string(limit) + " bytes";
}

Status compare_root(const std::string& object, const std::optional<net::Qdisc>& root, const Limit& limit, uint32_t mtu,
                    uint32_t latency_ms) {
  const net::TbfSpec planned = plan_tbf(limit, mtu, latency_ms);
  const std::string expected = describe(planned.rate, planned.limit, net::ticks_of(planned.rate, planned.burst));
  if (!root) return differs(object, expected, "none");
  if (!root->tbf) return differs(object, expected, "the queueing discipline " + root->kind);
  if (is_as_planned(*root->tbf, planned) || is_of_reference(*root->tbf, limit)) return {};
  return differs(object, expected, describe(root->tbf->rate, root->tbf->limit, root->tbf->buffer));
}

// The ifb that the pod's packets are redirected to; nothing if there is none of its own.
Result<std::optional<net::Link>> find_ifb(net::Netlink& host, const Shape& shape, const Owner& owner) {
  for (const net::Filter& filter : shape.filters) {
    if (!filter.every_packet || filter.redirects.empty()) continue;
    CNIO_LET(const std::optional<net::Link> link, net::find_link(host, filter.redirects.front()));
    if (link && (is_of(*link, owner) || may_be_of(*link, owner))) return link;
  }
  return std::optional<net::Link>();
}

Status compare_ifb(net::Netlink& host, const net::Link& ifb, const Limit& limit, const net::Link& host_end,
                   uint32_t latency_ms, const protocol::AddResult& result) {
  const std::string object = "interface " + ifb.name;
  const auto reported = std::find_if(result.interfaces.begin(), result.interfaces.end(),
                                     [&](const auto& each) { return each.name == ifb.name && each.sandbox.empty(); });
  if (reported == result.interfaces.end()) return differs("prevResult", "an entry for " + ifb.name, "none");
  CNIO_TRY(attachment::check_mac(object, *reported, ifb));
  if (!ifb.up) return differs(object, "up", "down");
  CNIO_LET(const Shape shape, look(host, ifb));
  return compare_root(object, shape.root, limit, host_end.mtu, latency_ms);
}

}  // namespace

Status compare(net::Netlink& host, const net::Link& host_end, const Owner& owner, const Config& config,
               const protocol::AddResult& result) {
  const std::string object = "host end " + host_end.name;
  CNIO_LET(const Shape shape, look(host, host_end));
  if (config.ingress) {
    CNIO_TRY(compare_root(object, shape.root, *config.ingress, host_end.mtu, config.latency_ms));
  } else if (shape.root && is_our_root(*shape.root)) {
    return differs(object, kNoLimit, "a token bucket for what the pod receives");
  }
  CNIO_LET(const std::optional<net::Link> ifb, find_ifb(host, shape, owner));
  if (config.egress && !ifb) return differs(object, "a redirection of what the pod sends to an ifb of its own", "none");
  if (config.egress) return compare_ifb(host, *ifb, *config.egress, host_end, config.latency_ms, result);
  if (ifb) return differs(object, kNoLimit, "a redirection of what the pod sends to " + ifb->name);
  return {};
}

}  // namespace cnio::bandwidth
