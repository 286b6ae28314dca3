// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/route.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <netlink/netlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "nl_ptr.hpp"

namespace cnio::net {
namespace {

struct ParsedRoute {
  KernelRoute route;
  bool through_link = false;
};

void parse_metrics(nlattr* nested, KernelRoute& route) {
  nlattr* metrics[RTAX_MAX + 1] = {};
  if (nla_parse_nested(metrics, RTAX_MAX, nested, nullptr) < 0) return;
  if (metrics[RTAX_MTU] != nullptr) route.mtu = nla_get_u32(metrics[RTAX_MTU]);
  if (metrics[RTAX_ADVMSS] != nullptr) route.advmss = nla_get_u32(metrics[RTAX_ADVMSS]);
}

void parse_next_hops(nlattr* multipath, int link, ParsedRoute& parsed) {
  auto* hop = static_cast<rtnexthop*>(nla_data(multipath));
  int left = nla_len(multipath);
  while (left >= static_cast<int>(sizeof *hop) && hop->rtnh_len >= sizeof *hop && hop->rtnh_len <= left) {
    if (hop->rtnh_ifindex == link) {
      parsed.through_link = true;
      const nlattr* via = nla_find(reinterpret_cast<nlattr*>(RTNH_DATA(hop)),
                                   static_cast<int>(hop->rtnh_len - sizeof *hop), RTA_GATEWAY);
      if (via != nullptr) parsed.route.gateways.push_back(to_ip(via));
    }
    left -= static_cast<int>(RTNH_ALIGN(hop->rtnh_len));
    hop = RTNH_NEXT(hop);
  }
}

std::optional<KernelRoute> parse_route(nlmsghdr& header, int link) {
  if (header.nlmsg_type != RTM_NEWROUTE) return std::nullopt;
  nlattr* at[RTA_MAX + 1] = {};
  if (nlmsg_parse(&header, sizeof(rtmsg), at, RTA_MAX, nullptr) < 0) return std::nullopt;
  const auto* info = static_cast<const rtmsg*>(nlmsg_data(&header));
  if (info->rtm_type != RTN_UNICAST || (info->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  const Family family = family_of(info->rtm_family);
  static constexpr uint8_t kAny[16] = {};
  ParsedRoute parsed;
  KernelRoute& route = parsed.route;
  route.dst = {at[RTA_DST] != nullptr ? to_ip(at[RTA_DST]) : IpAddr::from_bytes(family, kAny), info->rtm_dst_len};
  route.table = at[RTA_TABLE] != nullptr ? nla_get_u32(at[RTA_TABLE]) : info->rtm_table;
  route.scope = info->rtm_scope;
  if (at[RTA_PRIORITY] != nullptr) route.priority = nla_get_u32(at[RTA_PRIORITY]);
  if (at[RTA_METRICS] != nullptr) parse_metrics(at[RTA_METRICS], route);
  if (at[RTA_GATEWAY] != nullptr) route.gateways.push_back(to_ip(at[RTA_GATEWAY]));
  parsed.through_link = at[RTA_OIF] != nullptr && static_cast<int>(nla_get_u32(at[RTA_OIF])) == link;
  if (at[RTA_MULTIPATH] != nullptr) parse_next_hops(at[RTA_MULTIPATH], link, parsed);
  if (!parsed.through_link) return std::nullopt;
  return std::move(parsed.route);
}

std::string describe(const Link& link, const RouteSpec& spec) {
  std::string text = "add route " + spec.dst.to_string();
  if (spec.gateway) text += " via " + spec.gateway->to_string();
  return text + " dev " + link.name;
}

}  // namespace

Status add_route(Netlink& route, const Link& link, const RouteSpec& spec) {
  const RtnlRoutePtr entry(checked(rtnl_route_alloc()));
  rtnl_route_set_family(entry.get(), static_cast<uint8_t>(af_of(spec.dst.family())));
  if (rtnl_route_set_dst(entry.get(), to_nl_addr(spec.dst).get()) < 0) throw std::bad_alloc();
  rtnl_route_set_protocol(entry.get(), RTPROT_BOOT);
  rtnl_route_set_table(entry.get(), spec.table.value_or(RT_TABLE_MAIN));
  // Without a scope an on-link IPv4 destination would be taken for one behind a gateway.
  const uint8_t scope = spec.gateway || !spec.dst.addr.is_v4() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  rtnl_route_set_scope(entry.get(), spec.scope.value_or(scope));
  if (spec.priority) rtnl_route_set_priority(entry.get(), *spec.priority);
  if (spec.mtu) (void)rtnl_route_set_metric(entry.get(), RTAX_MTU, *spec.mtu);           // a valid metric cannot fail
  if (spec.advmss) (void)rtnl_route_set_metric(entry.get(), RTAX_ADVMSS, *spec.advmss);  // likewise
  rtnl_nexthop* hop = checked(rtnl_route_nh_alloc());
  rtnl_route_nh_set_ifindex(hop, static_cast<int>(link.index));
  if (spec.gateway) rtnl_route_nh_set_gateway(hop, to_nl_addr(Cidr::host(*spec.gateway)).get());
  rtnl_route_add_nexthop(entry.get(), hop);  // takes the next hop
  nl_msg* message = nullptr;
  if (rtnl_route_build_add_request(entry.get(), NLM_F_CREATE, &message) < 0) throw std::bad_alloc();
  return route.request(MsgPtr(message).get(), describe(link, spec));
}

Result<std::vector<KernelRoute>> list_routes(Netlink& route, const Link& link, Family family) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP)));
  rtmsg info{};
  info.rtm_family = static_cast<unsigned char>(af_of(family));
  if (nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO) < 0) throw std::bad_alloc();
  std::vector<KernelRoute> routes;
  const auto add = [&](nlmsghdr& answer) {
    auto found = parse_route(answer, static_cast<int>(link.index));
    if (found) routes.push_back(*std::move(found));
  };
  CNIO_TRY(route.query(message.get(), "list routes of " + link.name, add, [&] { routes.clear(); }));
  return routes;
}

}  // namespace cnio::net
