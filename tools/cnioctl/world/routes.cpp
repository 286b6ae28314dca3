// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "cnio/net/route.hpp"

#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {
namespace {

// Cables to pods and what hangs on a bridge have no routes of the node to others.
bool may_lead_away(const net::Link& link) {
  return link.up && link.kind != "veth" && link.name != "lo" && link.master == net::IfIndex::kNone;
}

bool is_own_subnet(const net::KernelRoute& route, const net::Link& link, const NodeFacts& node) {
  const auto its = [&](const net::OwnedAddress& own) {
    return own.owner == link.index && own.address.cidr.network() == route.dst;
  };
  return route.dst.addr.is_link_local_unicast() || std::any_of(node.addresses.begin(), node.addresses.end(), its);
}

Status add_by_link(net::Netlink& netlink, const net::Link& link, NodeFacts& node) {
  for (const Family family : kFamilies) {
    CNIO_LET(const auto routes, net::list_routes(netlink, link, family));
    for (const net::KernelRoute& each : routes) {
      if (each.table != RT_TABLE_MAIN || is_own_subnet(each, link, node) || each.dst.addr.is_multicast()) continue;
      node.routes.push_back({link.name, each.dst, each.gateways});
    }
  }
  return {};
}

}  // namespace

void add_routes(Facts& facts) {
  auto opened = net::Netlink::open(NETLINK_ROUTE);
  if (!opened.ok()) return facts.world.blind.blind("routes", opened.error());
  for (const net::Link& link : facts.world.links) {
    if (!may_lead_away(link)) continue;
    const Status added = add_by_link(opened.value(), link, facts.node);
    if (!added.ok()) facts.world.blind.blind("routes of " + link.name, added.error());
  }
}

}  // namespace cnio::cnioctl
