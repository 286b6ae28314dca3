// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <linux/rtnetlink.h>
#include <optional>
#include <string>
#include <vector>

#include <netlink/attr.h>

#include "cnio/net/netlink.hpp"
#include "cnio/net/route.hpp"

// What the kernel says of its routes: linux/rtnetlink.h.
namespace cnio::net {

// A next hop: by which link, and to whom unless the destination is on it.
struct RouteHop {
  IfIndex link = IfIndex::kNone;
  std::optional<IpAddr> gateway;  // of the route's own family
  bool direct = true;             // the destination is on the link
};

struct ParsedRoute {
  KernelRoute route;  // without gateways
  std::vector<RouteHop> hops;
  bool learned = false;  // from a router advertisement
  bool barrier = false;  // lets nothing through
  uint8_t tos = 0;       // 0: for packets of every kind
  uint32_t nexthop = 0;  // the nexthop object that the hops are of; 0: none
};

// The next hops of an RTM_NEWROUTE; `at`: its attributes by RTA_* number.
std::vector<RouteHop> parse_hops(nlattr* const* at);
uint32_t table_of(nlattr* const* at, const rtmsg& info);

// Of all tables, without those that lead to the host itself.
enum class Barriers { kLeftOut, kIncluded };
Result<std::vector<ParsedRoute>> dump_routes(Netlink& route, Family family, const std::string& operation,
                                             Barriers barriers = Barriers::kLeftOut);

}  // namespace cnio::net
