// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/route.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <netlink/netlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "net/nl_ptr.hpp"
#include "net/route_dump.hpp"

namespace cnio::net {

std::string to_string(const RouteSpec& spec) {
  std::string text = spec.dst.to_string();
  if (spec.gateway) text += " via " + spec.gateway->to_string();
  const auto add = [&](std::string_view name, const auto& value) {
    if (value) text.append(" ").append(name).append(" ").append(std::to_string(*value));
  };
  add("table", spec.table);
  add("metric", spec.priority);
  add("scope", spec.scope);
  add("mtu", spec.mtu);
  add("advmss", spec.advmss);
  if (spec.source) text += " src " + spec.source->to_string();
  if (spec.gateway_on_link) text += " onlink";
  return text;
}

namespace {

int flags_for(IfThere if_there) {
  switch (if_there) {
    case IfThere::kJoin:
      return NLM_F_CREATE;
    case IfThere::kFollow:
      return NLM_F_CREATE | NLM_F_APPEND;
    case IfThere::kFail:
      return NLM_F_CREATE | NLM_F_EXCL;
    case IfThere::kReplace:
      return NLM_F_CREATE | NLM_F_REPLACE;
  }
  return NLM_F_CREATE;
}

}  // namespace

Status add_route(Netlink& route, const Link& link, const RouteSpec& spec, IfThere if_there) {
  const RtnlRoutePtr entry(checked(rtnl_route_alloc()));
  rtnl_route_set_family(entry.get(), static_cast<uint8_t>(af_of(spec.dst.family())));
  const std::string operation = "add route " + to_string(spec) + " dev " + link.name;
  CNIO_TRY(built(rtnl_route_set_dst(entry.get(), to_nl_addr(spec.dst).get()), operation));
  rtnl_route_set_protocol(entry.get(), RTPROT_BOOT);
  rtnl_route_set_table(entry.get(), spec.table.value_or(RT_TABLE_MAIN));
  // Without a scope an on-link IPv4 destination would be taken for one behind a gateway.
  const uint8_t scope = spec.gateway || !spec.dst.addr.is_v4() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  rtnl_route_set_scope(entry.get(), spec.scope.value_or(scope));
  if (spec.priority) rtnl_route_set_priority(entry.get(), *spec.priority);
  if (spec.mtu) (void)rtnl_route_set_metric(entry.get(), RTAX_MTU, *spec.mtu);           // a valid metric cannot fail
  if (spec.advmss) (void)rtnl_route_set_metric(entry.get(), RTAX_ADVMSS, *spec.advmss);  // likewise
  if (spec.source) {
    (void)rtnl_route_set_pref_src(entry.get(), to_nl_addr(Cidr::host(*spec.source)).get());  // of the same family
  }
  rtnl_nexthop* hop = checked(rtnl_route_nh_alloc());
  rtnl_route_nh_set_ifindex(hop, static_cast<int>(link.index));
  if (spec.gateway) rtnl_route_nh_set_gateway(hop, to_nl_addr(Cidr::host(*spec.gateway)).get());
  if (spec.gateway_on_link) rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
  rtnl_route_add_nexthop(entry.get(), hop);  // takes the next hop
  nl_msg* message = nullptr;
  CNIO_TRY(built(rtnl_route_build_add_request(entry.get(), flags_for(if_there), &message), operation));
  return route.request(MsgPtr(message).get(), operation);
}

namespace {

RouteMatch match_of(const Cidr& dst, const std::vector<RouteHop>& hops, uint32_t table) {
  const bool direct = hops.size() == 1 && hops.front().direct;
  return {dst, hops.empty() ? IfIndex::kNone : hops.front().link, false, direct, false, table};
}

RouteMatch barrier_before(const IpAddr& address) {
  RouteMatch out;
  out.dst = Cidr{address, 0}.network();
  out.direct = false;
  out.barrier = true;
  return out;
}

// The kernel chooses a source for what it looks up, and fails if the only one for a route of scope host is lo's own; it
// says the same of a black hole. One in another table is there because a rule leads to it.
Result<std::optional<RouteMatch>> find_host_route(Netlink& route, const IpAddr& address, const std::string& operation) {
  CNIO_LET(std::vector<ParsedRoute> routes, dump_routes(route, address.family(), operation, Barriers::kIncluded));
  const bool elsewhere = std::any_of(routes.begin(), routes.end(), [&](const ParsedRoute& each) {
    return each.barrier && each.route.table != RT_TABLE_MAIN && each.route.dst.contains(address);
  });
  if (elsewhere) return std::optional(barrier_before(address));
  std::erase_if(routes, [&](const ParsedRoute& each) {
    return each.route.dst != Cidr::host(address) || each.route.table != RT_TABLE_MAIN || each.tos != 0;
  });
  const auto best = std::min_element(routes.begin(), routes.end(),
                                     [](const auto& a, const auto& b) { return a.route.priority < b.route.priority; });
  if (best == routes.end()) return std::optional<RouteMatch>();
  if (best->barrier) return std::optional(barrier_before(address));
  return std::optional(match_of(best->route.dst, best->hops, best->route.table));
}

}  // namespace

Result<std::optional<RouteMatch>> match_route(Netlink& route, const IpAddr& address, IfIndex through) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETROUTE, 0)));
  rtmsg info{};
  info.rtm_family = static_cast<unsigned char>(af_of(address.family()));
  info.rtm_dst_len = static_cast<unsigned char>(address.bits());
  info.rtm_flags = RTM_F_FIB_MATCH;                           // the entry of the table, not what would be done
  if (address.is_v4()) info.rtm_flags |= RTM_F_LOOKUP_TABLE;  // of which; IPv6 says it unasked, and knows no such flag
  must(nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO));
  must(nla_put(message.get(), RTA_DST, static_cast<int>(address.bits() / 8), address.data()));
  if (through != IfIndex::kNone) must(nla_put_s32(message.get(), RTA_OIF, static_cast<int>(through)));
  std::optional<RouteMatch> match;
  const auto read = [&](nlmsghdr& answer) {
    nlattr* at[RTA_MAX + 1] = {};
    if (answer.nlmsg_type != RTM_NEWROUTE || nlmsg_parse(&answer, sizeof(rtmsg), at, RTA_MAX, nullptr) < 0) return;
    const auto* found = static_cast<const rtmsg*>(nlmsg_data(&answer));
    const std::vector<RouteHop> hops = parse_hops(at);
    if ((hops.empty() && at[RTA_NH_ID] == nullptr) || found->rtm_dst_len > address.bits()) return;
    const bool local = found->rtm_type == RTN_LOCAL;
    if (!local && found->rtm_type != RTN_UNICAST) return;
    match = match_of(Cidr{address, found->rtm_dst_len}.network(), hops, table_of(at, *found));
    match->local = local;
  };
  const std::string operation = "look for the route to " + address.to_string();
  const Status asked = route.query(message.get(), operation, read);
  if (asked.ok()) return match;
  if (asked.error().errnum() == EINVAL) return find_host_route(route, address, operation);
  // How the kernel says that there is none, or what kind of barrier.
  if (asked.error().errnum() == ENETUNREACH) return std::optional<RouteMatch>();
  for (const int barrier : {EHOSTUNREACH, EACCES, EAGAIN}) {
    if (asked.error().errnum() == barrier) return std::optional(barrier_before(address));
  }
  return asked.error();
}

Result<std::vector<RouteTo>> list_routes_to(Netlink& route, const Cidr& dst) {
  CNIO_LET(const std::vector<ParsedRoute> all, dump_routes(route, dst.family(), "list routes to " + dst.to_string()));
  std::vector<RouteTo> out;
  for (const ParsedRoute& parsed : all) {
    if (parsed.route.dst != dst || parsed.tos != 0) continue;
    RouteTo found{parsed.route.table, parsed.route.priority, {}, parsed.nexthop};
    for (const RouteHop& hop : parsed.hops) found.links.push_back(hop.link);
    out.push_back(std::move(found));
  }
  return out;
}

Status remove_route(Netlink& route, const Cidr& dst, const RouteTo& which) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_DELROUTE, 0)));
  rtmsg info{};
  info.rtm_family = static_cast<unsigned char>(af_of(dst.family()));
  info.rtm_dst_len = static_cast<unsigned char>(dst.prefix);
  info.rtm_scope = RT_SCOPE_NOWHERE;  // any
  must(nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO));
  must(nla_put(message.get(), RTA_DST, static_cast<int>(dst.addr.bits() / 8), dst.addr.data()));
  must(nla_put_u32(message.get(), RTA_TABLE, which.table));
  if (which.priority != 0) must(nla_put_u32(message.get(), RTA_PRIORITY, which.priority));
  if (which.nexthop != 0) {
    must(nla_put_u32(message.get(), RTA_NH_ID, which.nexthop));
  } else if (which.links.size() == 1)
    must(nla_put_s32(message.get(), RTA_OIF, static_cast<int>(which.links.front())));
  Status removed = route.request(message.get(), "remove route " + dst.to_string());
  if (!removed.ok() && removed.error().errnum() == ESRCH) return {};
  return removed;
}

Result<std::vector<KernelRoute>> list_routes(Netlink& route, const Link& link, Family family) {
  CNIO_LET(std::vector<ParsedRoute> all, dump_routes(route, family, "list routes of " + link.name));
  std::vector<KernelRoute> routes;
  for (ParsedRoute& parsed : all) {
    bool through_link = false;
    for (const RouteHop& hop : parsed.hops) {
      if (hop.link != link.index) continue;
      through_link = true;
      if (hop.gateway) parsed.route.gateways.push_back(*hop.gateway);
    }
    if (through_link) routes.push_back(std::move(parsed.route));
  }
  return routes;
}

Result<std::vector<IfIndex>> list_links_with_learned_routes(Netlink& route) {
  CNIO_LET(const std::vector<ParsedRoute> all, dump_routes(route, Family::kIpv6, "look for what routers advertise"));
  std::vector<IfIndex> links;
  for (const ParsedRoute& parsed : all) {
    if (!parsed.learned) continue;
    for (const RouteHop& hop : parsed.hops) links.push_back(hop.link);
  }
  return links;
}

Result<std::optional<IfIndex>> find_default_route_link(Netlink& route) {
  for (const Family family : kFamilies) {
    CNIO_LET(const auto link, find_default_route_link(route, family));
    if (link) return link;
  }
  return std::optional<IfIndex>();
}

Result<std::optional<IfIndex>> find_default_route_link(Netlink& route, Family family) {
  CNIO_LET(std::vector<ParsedRoute> routes, dump_routes(route, family, "look for the default route"));
  std::erase_if(routes, [](const ParsedRoute& each) {
    return each.route.dst.prefix != 0 || each.route.table != RT_TABLE_MAIN || each.hops.empty();
  });
  const auto best = std::min_element(routes.begin(), routes.end(),
                                     [](const auto& a, const auto& b) { return a.route.priority < b.route.priority; });
  return best != routes.end() ? std::optional(best->hops.front().link) : std::nullopt;
}

}  // namespace cnio::net
