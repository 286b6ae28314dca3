// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/rivals.hpp"

namespace cnio::cnioctl {

bool is_of_overlay(const Cidr& address, const Cidr& subnet) {
  return address.prefix == address.addr.bits() && address.addr == subnet.network().addr;
}

Result<std::optional<net::RouteMatch>> find_rival_route(net::Netlink& host, const Cidr& subnet,
                                                        const std::function<bool(net::IfIndex)>& is_theirs) {
  for (const IpAddr& address : {subnet.network().addr.next().next(), subnet.last().previous()}) {
    CNIO_LET(const auto route, net::match_route(host, address));
    if (!route || route->local || route->barrier || route->dst.prefix < subnet.prefix || is_theirs(route->link))
      continue;
    return route;
  }
  return std::optional<net::RouteMatch>();
}

}  // namespace cnio::cnioctl
