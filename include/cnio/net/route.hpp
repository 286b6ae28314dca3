// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

// Routes through RTM_*ROUTE messages: linux/rtnetlink.h.
namespace cnio::net {

struct KernelRoute {
  Cidr dst;
  std::vector<IpAddr> gateways;  // one; several of a multipath route; none on-link
  uint32_t table = 0;            // RT_TABLE_MAIN is 254
  uint32_t priority = 0;         // 0: the kernel's default
  uint8_t scope = 0;
  uint32_t mtu = 0;     // 0: not set
  uint32_t advmss = 0;  // 0: not set
};

struct RouteSpec {
  Cidr dst;
  std::optional<IpAddr> gateway;
  std::optional<uint32_t> table;
  std::optional<uint32_t> priority;
  std::optional<uint8_t> scope;
  std::optional<uint32_t> mtu;
  std::optional<uint32_t> advmss;
  std::optional<IpAddr> source;  // of packets that choose none
  bool gateway_on_link = false;  // whatever the routes to the gateway say

  bool operator==(const RouteSpec&) const = default;
};
// As `ip route` writes it: "10.2.0.0/16 via 10.1.0.1 metric 100".
std::string to_string(const RouteSpec& spec);

// What becomes of a route to the same destination (and table, and metric): kJoin: an IPv6 one joins its multipath
// route, an IPv4 one with another gateway goes in front, an exact duplicate is an error (EEXIST). kFollow: the new one
// is used when the other is gone. kFail: EEXIST. kReplace: it goes.
enum class IfThere { kJoin, kFollow, kFail, kReplace };

// Adds a route through `link`.
Status add_route(Netlink& route, const Link& link, const RouteSpec& spec, IfThere if_there = IfThere::kJoin);

// The route that the host's tables have for packets to an address.
struct RouteMatch {
  Cidr dst;
  IfIndex link = IfIndex::kNone;  // of a multipath route one of them; kNone, too, of a nexthop object's
  bool local = false;             // the address is one of the host's own
  bool direct = true;             // one next hop, and the destination is on its link
  bool barrier = false;           // it lets nothing through, and nothing else is known of it
  uint32_t table = 0;
};
// Nothing if there is none. With `through`, of the routes by that link alone.
Result<std::optional<RouteMatch>> match_route(Netlink& route, const IpAddr& address, IfIndex through = IfIndex::kNone);

// A route to one destination.
struct RouteTo {
  uint32_t table = 0;
  uint32_t priority = 0;
  std::vector<IfIndex> links;  // several of a multipath route; none: the kernel names a nexthop object alone
  uint32_t nexthop = 0;        // that object's number; 0: the route has links of its own
};
// The routes of all tables to exactly this destination, without those that let nothing through, are for packets of one
// kind of service, or lead to the host.
Result<std::vector<RouteTo>> list_routes_to(Netlink& route, const Cidr& dst);
// Removes one of them. One that is not there is no error.
Status remove_route(Netlink& route, const Cidr& dst, const RouteTo& which);

// The link that a packet takes for which there is no other route: of the default route of the main table with the best
// metric, IPv4's if there is one, else IPv6's.
Result<std::optional<IfIndex>> find_default_route_link(Netlink& route);
// That of one family.
Result<std::optional<IfIndex>> find_default_route_link(Netlink& route, Family family);

// The links that have an IPv6 route from a router advertisement: one of protocol RA, or one of the kernel's own that
// expires, as that to a prefix does. A link may be there several times.
Result<std::vector<IfIndex>> list_links_with_learned_routes(Netlink& route);

// Routes of all tables whose output (or one of whose next hops) is `link`, those the kernel keeps for local and
// broadcast addresses left out.
Result<std::vector<KernelRoute>> list_routes(Netlink& route, const Link& link, Family family);

}  // namespace cnio::net
