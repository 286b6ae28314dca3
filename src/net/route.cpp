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

namespace cnio::net {
namespace {

// A next hop: by which link, and to whom unless the destination is on it.
struct Hop {
  IfIndex link = IfIndex::kNone;
  std::optional<IpAddr> gateway;
};

struct ParsedRoute {
  KernelRoute route;  // without gateways
  std::vector<Hop> hops;
  bool learned = false;  // from a router advertisement
  bool barrier = false;  // lets nothing through
};

void parse_metrics(nlattr* nested, KernelRoute& route) {
  nlattr* metrics[RTAX_MAX + 1] = {};
  if (nla_parse_nested(metrics, RTAX_MAX, nested, nullptr) < 0) return;
  if (metrics[RTAX_MTU] != nullptr) route.mtu = value_of<uint32_t>(metrics[RTAX_MTU]);
  if (metrics[RTAX_ADVMSS] != nullptr) route.advmss = value_of<uint32_t>(metrics[RTAX_ADVMSS]);
}

void parse_multipath(nlattr* multipath, std::vector<Hop>& hops) {
  auto* hop = static_cast<rtnexthop*>(nla_data(multipath));
  int left = nla_len(multipath);
  while (left >= static_cast<int>(sizeof *hop) && hop->rtnh_len >= sizeof *hop && hop->rtnh_len <= left) {
    const nlattr* via =
        nla_find(reinterpret_cast<nlattr*>(RTNH_DATA(hop)), static_cast<int>(hop->rtnh_len - sizeof *hop), RTA_GATEWAY);
    hops.push_back({IfIndex{hop->rtnh_ifindex}, via != nullptr ? std::optional(to_ip(via)) : std::nullopt});
    left -= static_cast<int>(RTNH_ALIGN(hop->rtnh_len));
    hop = RTNH_NEXT(hop);
  }
}

// `at`: by RTA_* number.
std::vector<Hop> parse_hops(nlattr* const* at) {
  std::vector<Hop> hops;
  if (at[RTA_OIF] != nullptr) {
    hops.push_back({IfIndex{value_of<int>(at[RTA_OIF])},
                    at[RTA_GATEWAY] != nullptr ? std::optional(to_ip(at[RTA_GATEWAY])) : std::nullopt});
  }
  if (at[RTA_MULTIPATH] != nullptr) parse_multipath(at[RTA_MULTIPATH], hops);
  return hops;
}

uint32_t table_of(nlattr* const* at, const rtmsg& info) {
  return at[RTA_TABLE] != nullptr ? value_of<uint32_t>(at[RTA_TABLE]) : info.rtm_table;
}

bool is_barrier(unsigned char type) {
  return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_THROW;
}

std::optional<ParsedRoute> parse_route(nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWROUTE) return std::nullopt;
  nlattr* at[RTA_MAX + 1] = {};
  if (nlmsg_parse(&header, sizeof(rtmsg), at, RTA_MAX, nullptr) < 0) return std::nullopt;
  const auto* info = static_cast<const rtmsg*>(nlmsg_data(&header));
  const bool barrier = is_barrier(info->rtm_type);
  if ((info->rtm_type != RTN_UNICAST && !barrier) || (info->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  const Family family = family_of(info->rtm_family);
  static constexpr uint8_t kAny[16] = {};
  ParsedRoute parsed;
  parsed.barrier = barrier;
  KernelRoute& route = parsed.route;
  route.dst = {at[RTA_DST] != nullptr ? to_ip(at[RTA_DST]) : IpAddr::from_bytes(family, kAny), info->rtm_dst_len};
  route.table = table_of(at, *info);
  route.scope = info->rtm_scope;
  const bool expires = at[RTA_CACHEINFO] != nullptr && value_of<rta_cacheinfo>(at[RTA_CACHEINFO]).rta_expires != 0;
  parsed.learned = info->rtm_protocol == RTPROT_RA || (info->rtm_protocol == RTPROT_KERNEL && expires);
  if (at[RTA_PRIORITY] != nullptr) route.priority = value_of<uint32_t>(at[RTA_PRIORITY]);
  if (at[RTA_METRICS] != nullptr) parse_metrics(at[RTA_METRICS], route);
  parsed.hops = parse_hops(at);
  return parsed;
}

enum class Barriers { kLeftOut, kIncluded };

Result<std::vector<ParsedRoute>> dump_routes(Netlink& route, Family family, const std::string& operation,
                                             Barriers barriers = Barriers::kLeftOut) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP)));
  rtmsg info{};
  info.rtm_family = static_cast<unsigned char>(af_of(family));
  must(nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO));
  std::vector<ParsedRoute> routes;
  const auto add = [&](nlmsghdr& answer) {
    auto found = parse_route(answer);
    if (found && (!found->barrier || barriers == Barriers::kIncluded)) routes.push_back(*std::move(found));
  };
  CNIO_TRY(route.query(message.get(), operation, add, [&] { routes.clear(); }));
  return routes;
}

}  // namespace

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

RouteMatch match_of(const Cidr& dst, const std::vector<Hop>& hops, uint32_t table) {
  const bool direct = hops.size() == 1 && !hops.front().gateway;
  return {dst, hops.front().link, false, direct, false, table};
}

RouteMatch barrier_before(const IpAddr& address) {
  RouteMatch out;
  out.dst = Cidr{address, 0}.network();
  out.direct = false;
  out.barrier = true;
  return out;
}

// The kernel chooses a source for what it looks up, and fails if the only one for a route of scope host is lo's own; it
// says the same of a black hole.
Result<std::optional<RouteMatch>> find_host_route(Netlink& route, const IpAddr& address, const std::string& operation) {
  CNIO_LET(std::vector<ParsedRoute> routes, dump_routes(route, address.family(), operation, Barriers::kIncluded));
  std::erase_if(routes, [&](const ParsedRoute& each) {
    return each.route.dst != Cidr::host(address) || each.route.table != RT_TABLE_MAIN;
  });
  const auto best = std::min_element(routes.begin(), routes.end(),
                                     [](const auto& a, const auto& b) { return a.route.priority < b.route.priority; });
  if (best == routes.end()) return std::optional<RouteMatch>();
  if (best->barrier || best->hops.empty()) return std::optional(barrier_before(address));
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
    const std::vector<Hop> hops = parse_hops(at);
    if (hops.empty() || found->rtm_dst_len > address.bits()) return;
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
    if (parsed.route.dst != dst) continue;
    RouteTo found{parsed.route.table, parsed.route.priority, {}};
    for (const Hop& hop : parsed.hops) found.links.push_back(hop.link);
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
  if (which.links.size() == 1) must(nla_put_s32(message.get(), RTA_OIF, static_cast<int>(which.links.front())));
  Status removed = route.request(message.get(), "remove route " + dst.to_string());
  if (!removed.ok() && removed.error().errnum() == ESRCH) return {};
  return removed;
}

Result<std::vector<KernelRoute>> list_routes(Netlink& route, const Link& link, Family family) {
  CNIO_LET(std::vector<ParsedRoute> all, dump_routes(route, family, "list routes of " + link.name));
  std::vector<KernelRoute> routes;
  for (ParsedRoute& parsed : all) {
    bool through_link = false;
    for (const Hop& hop : parsed.hops) {
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
    for (const Hop& hop : parsed.hops) links.push_back(hop.link);
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
