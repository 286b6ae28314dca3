// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "net/route_dump.hpp"

#include <sys/socket.h>

#include <netlink/netlink.h>

#include "net/nl_ptr.hpp"

namespace cnio::net {
namespace {

void parse_metrics(nlattr* nested, KernelRoute& route) {
  nlattr* metrics[RTAX_MAX + 1] = {};
  if (nla_parse_nested(metrics, RTAX_MAX, nested, nullptr) < 0) return;
  if (metrics[RTAX_MTU] != nullptr) route.mtu = value_of<uint32_t>(metrics[RTAX_MTU]);
  if (metrics[RTAX_ADVMSS] != nullptr) route.advmss = value_of<uint32_t>(metrics[RTAX_ADVMSS]);
}

void parse_multipath(nlattr* multipath, std::vector<RouteHop>& hops) {
  auto* hop = static_cast<rtnexthop*>(nla_data(multipath));
  int left = nla_len(multipath);
  while (left >= static_cast<int>(sizeof *hop) && hop->rtnh_len >= sizeof *hop && hop->rtnh_len <= left) {
    const nlattr* via =
        nla_find(reinterpret_cast<nlattr*>(RTNH_DATA(hop)), static_cast<int>(hop->rtnh_len - sizeof *hop), RTA_GATEWAY);
    const nlattr* of_another_family =
        nla_find(reinterpret_cast<nlattr*>(RTNH_DATA(hop)), static_cast<int>(hop->rtnh_len - sizeof *hop), RTA_VIA);
    hops.push_back({IfIndex{hop->rtnh_ifindex}, via != nullptr ? std::optional(to_ip(via)) : std::nullopt,
                    via == nullptr && of_another_family == nullptr});
    left -= static_cast<int>(RTNH_ALIGN(hop->rtnh_len));
    hop = RTNH_NEXT(hop);
  }
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
  parsed.tos = info->rtm_tos;
  if (at[RTA_NH_ID] != nullptr) parsed.nexthop = value_of<uint32_t>(at[RTA_NH_ID]);
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

}  // namespace

std::vector<RouteHop> parse_hops(nlattr* const* at) {
  std::vector<RouteHop> hops;
  if (at[RTA_OIF] != nullptr) {
    hops.push_back({IfIndex{value_of<int>(at[RTA_OIF])},
                    at[RTA_GATEWAY] != nullptr ? std::optional(to_ip(at[RTA_GATEWAY])) : std::nullopt,
                    at[RTA_GATEWAY] == nullptr && at[RTA_VIA] == nullptr});
  }
  if (at[RTA_MULTIPATH] != nullptr) parse_multipath(at[RTA_MULTIPATH], hops);
  return hops;
}

uint32_t table_of(nlattr* const* at, const rtmsg& info) {
  return at[RTA_TABLE] != nullptr ? value_of<uint32_t>(at[RTA_TABLE]) : info.rtm_table;
}

Result<std::vector<ParsedRoute>> dump_routes(Netlink& route, Family family, const std::string& operation,
                                             Barriers barriers) {
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

}  // namespace cnio::net
