// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "ptp/routes.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/rtnetlink.h>
#include <optional>

#include "cnio/attachment/addressing.hpp"
#include "cnio/attachment/compare.hpp"
#include "cnio/net/address.hpp"

namespace cnio::ptp {
namespace {

using protocol::AddResult;
using protocol::IpConfig;

net::RouteSpec on_link(const Cidr& dst, std::optional<IpAddr> source) {
  net::RouteSpec spec;
  spec.dst = dst;
  spec.source = source;
  if (dst.addr.is_v4()) spec.scope = RT_SCOPE_LINK;
  return spec;
}

// As the reference does it.
net::RouteSpec to_pod(const IpAddr& address) {
  net::RouteSpec spec = on_link(Cidr::host(address), std::nullopt);
  if (address.is_v4()) spec.scope = RT_SCOPE_HOST;
  return spec;
}

// Would the kernel take one for the other?
bool same_place(const net::RouteSpec& one, const net::RouteSpec& other) {
  constexpr uint32_t kIpv6Priority = 1024;  // IP6_RT_PRIO_USER
  const uint32_t priority = one.dst.addr.is_v4() ? 0 : kIpv6Priority;
  return one.dst == other.dst && one.gateway == other.gateway &&
         one.table.value_or(RT_TABLE_MAIN) == other.table.value_or(RT_TABLE_MAIN) &&
         one.priority.value_or(priority) == other.priority.value_or(priority);
}

// Of two addresses that share a gateway or a network the first is the source; what the IPAM plugin says of a route that
// is there anyway holds for that.
void add_unless_there(std::vector<net::RouteSpec>& routes, const net::RouteSpec& route) {
  const auto there =
      std::find_if(routes.begin(), routes.end(), [&](const net::RouteSpec& other) { return same_place(other, route); });
  if (there == routes.end()) return routes.push_back(route);
  if (route.mtu) there->mtu = route.mtu;
  if (route.advmss) there->advmss = route.advmss;
}

// An address of the pod's networks that is not the host's as a gateway: the kernel would not believe that it is on the
// link. The host answers for whatever it has.
bool needs_onlink(const AddResult& result, const net::RouteSpec& route) {
  const auto is_gateway = [&](const IpConfig& ip) { return ip.gateway == route.gateway; };
  const auto is_own = [&](const IpConfig& ip) { return ip.address.addr == route.gateway; };
  const auto is_in_network = [&](const IpConfig& ip) { return ip.address.contains(*route.gateway); };
  return route.gateway && std::none_of(result.ips.begin(), result.ips.end(), is_gateway) &&
         std::none_of(result.ips.begin(), result.ips.end(), is_own) &&
         std::any_of(result.ips.begin(), result.ips.end(), is_in_network);
}

struct Holder {
  net::Link link;
  bool local = false;  // it has the address; otherwise it leads to it
};

// What else the host knows of an address than that `own` leads to it.
struct Others {
  std::optional<Holder> holder;
  std::vector<net::RouteTo> dead;  // left over: no link of theirs works
  bool none = false;               // certainly: packets to it take the route of a network, or none
};

bool leads_by(const net::RouteTo& route, net::IfIndex link) {
  return route.links.size() == 1 && route.links.front() == link;
}

// Of the tables that count: a route of another is found by whom that is meant for.
Result<Others> judge_routes(net::Netlink& host, const IpAddr& address, uint32_t table, net::IfIndex own) {
  Others out;
  CNIO_LET(std::vector<net::RouteTo> routes, net::list_routes_to(host, Cidr::host(address)));
  for (net::RouteTo& each : routes) {
    if ((each.table != table && each.table != RT_TABLE_MAIN) || leads_by(each, own)) continue;
    if (each.links.empty()) {  // nobody knows whether it is alive
      out.holder.emplace().link.name = "of nexthop object " + std::to_string(each.nexthop);
      return out;
    }
    for (const net::IfIndex index : each.links) {
      CNIO_LET(std::optional<net::Link> link, net::find_link(host, index));
      if (!link || !link->up || !link->carrier) continue;
      out.holder = Holder{*std::move(link)};
      return out;
    }
    out.dead.push_back(std::move(each));
  }
  return out;
}

Result<Others> judge_match(net::Netlink& host, const IpAddr& address, const std::optional<net::RouteMatch>& match,
                           net::IfIndex own) {
  if (!match || match->dst.prefix != address.bits()) return Others{{}, {}, !match || !match->barrier};
  if (!match->local) return judge_routes(host, address, match->table, own);
  CNIO_LET(std::optional<net::Link> link, net::find_link(host, match->link));
  Others out;
  if (link && link->index != own) out.holder = Holder{*std::move(link), true};
  return out;
}

Result<Others> find_others(net::Netlink& host, const IpAddr& address, net::IfIndex own) {
  CNIO_LET(const std::optional<net::RouteMatch> match, net::match_route(host, address));
  return judge_match(host, address, match, own);
}

Error taken(std::string_view what, const IpAddr& address, const Holder& holder) {
  return Error::make(Code::kConflict, "the " + std::string(what) + " " + address.to_string() +
                                          " is in use already: interface " + holder.link.name + " of this host " +
                                          (holder.local ? "has it" : "leads to it"))
      .hint("see `ip route get " + address.to_string() + "` and `ip -d link show " + holder.link.name +
            "`; if its pod is gone, remove that interface; otherwise two networks give the same addresses");
}

// What no link's state explains is somebody's will.
Error hidden(const IpAddr& address) {
  return Error::make(Code::kConflict, "the pod could not be reached under " + address.to_string() +
                                          ": another route of this host comes before the one to it")
      .hint("see `ip route get " + address.to_string() + "`, `ip rule` and `ip route show table all " +
            address.to_string() +
            "` (with -6 for IPv6): one that is unreachable or a black hole, with a better "
            "metric or in another table; remove it if nobody needs it");
}

Status check_gateways(const AddResult& result) {
  constexpr std::string_view kAdvice =
      "give each address a \"gateway\" in \"ipam\"; any address that the pod itself does not use will do";
  for (const IpConfig& ip : result.ips) {
    const std::string address = ip.address.to_string();
    if (!ip.gateway) {
      return Error::make(Code::kDelegate, "the IPAM plugin returned no gateway for the address " + address +
                                              ": the host's end of the pod's cable needs one")
          .hint(std::string(kAdvice));
    }
    const bool own = std::any_of(result.ips.begin(), result.ips.end(),
                                 [&](const IpConfig& other) { return other.address.addr == *ip.gateway; });
    if (!own) continue;
    return Error::make(Code::kDelegate, "the IPAM plugin returned the gateway " + ip.gateway->to_string() +
                                            " for the address " + address +
                                            ", which is the pod's own: both ends of the cable cannot have it")
        .hint(std::string(kAdvice));
  }
  return {};
}

}  // namespace

Result<std::vector<net::RouteSpec>> sandbox_routes(const AddResult& result) {
  CNIO_TRY(check_gateways(result));
  std::vector<net::RouteSpec> routes;
  for (const IpConfig& ip : result.ips) {
    add_unless_there(routes, on_link(Cidr::host(*ip.gateway), ip.address.addr));
  }
  for (const IpConfig& ip : result.ips) {
    if (ip.address.prefix == ip.address.addr.bits()) continue;
    net::RouteSpec rest;
    rest.dst = ip.address.network();
    rest.gateway = ip.gateway;
    rest.source = ip.address.addr;
    add_unless_there(routes, rest);
  }
  CNIO_LET(std::vector<net::RouteSpec> given, attachment::kernel_routes(result));
  for (net::RouteSpec& route : given) {
    route.gateway_on_link = needs_onlink(result, route);
    add_unless_there(routes, route);
  }
  return routes;
}

std::vector<Cidr> gateways_of(const AddResult& result) {
  std::vector<Cidr> out;
  for (const IpConfig& ip : result.ips) {
    if (!ip.gateway) continue;
    const Cidr gateway = Cidr::host(*ip.gateway);
    if (std::find(out.begin(), out.end(), gateway) == out.end()) out.push_back(gateway);
  }
  return out;
}

namespace {

// Another pod's address? The host has those of its own ends as routes only, for as long as the kernel has not made them
// local (IPv6).
Status check_gateway_free(net::Netlink& host, const IpAddr& gateway) {
  CNIO_LET(const std::optional<net::RouteMatch> match, net::match_route(host, gateway));
  if (match && match->local) return {};  // as with every pod but the first
  CNIO_LET(const Others others, judge_match(host, gateway, match, net::IfIndex::kNone));
  if (!others.holder) return {};
  CNIO_LET(const std::vector<net::Address> present, net::list_addresses(host, others.holder->link, gateway.family()));
  const bool own = std::any_of(present.begin(), present.end(),
                               [&](const net::Address& address) { return address.cidr.addr == gateway; });
  return own ? Status() : Status(taken("gateway", gateway, *others.holder));
}

// Whose link does not work any more gives way, also where another leads to the address before ours would.
Status clear_way(net::Netlink& host, const IpAddr& address, net::IfIndex own) {
  constexpr int kMostTables = 8;
  for (int i = 0; i < kMostTables; ++i) {
    CNIO_LET(const Others others, find_others(host, address, own));
    if (others.holder) return taken("address", address, *others.holder);
    if (others.dead.empty()) return {};
    for (const net::RouteTo& each : others.dead) CNIO_TRY(net::remove_route(host, Cidr::host(address), each));
  }
  return {};
}

Status lead_to_pod(net::Netlink& host, const net::Link& host_end, const IpAddr& address) {
  const net::RouteSpec route = to_pod(address);
  const Status added = net::add_route(host, host_end, route, net::IfThere::kFail);
  if (added.ok() || added.error().errnum() != EEXIST) return added;
  CNIO_TRY(clear_way(host, address, host_end.index));
  CNIO_LET(const std::optional<net::RouteMatch> match, net::match_route(host, address));
  if (match && match->barrier) return hidden(address);
  return net::add_route(host, host_end, route, net::IfThere::kReplace);
}

Result<bool> leads_to_pod(net::Netlink& host, const net::Link& host_end, const IpAddr& address) {
  CNIO_LET(const std::optional<net::RouteMatch> match, net::match_route(host, address));
  return match && match->link == host_end.index && match->direct && !match->local;
}

}  // namespace

Result<std::vector<IpAddr>> check_addresses_free(net::Netlink& host, const AddResult& result) {
  std::vector<IpAddr> unknown;
  for (const IpConfig& ip : result.ips) {
    if (ip.address.addr.is_link_local_unicast()) continue;  // means another interface on each link
    CNIO_LET(const Others others, find_others(host, ip.address.addr, net::IfIndex::kNone));
    if (others.holder) return taken("address", ip.address.addr, *others.holder);
    if (others.none) unknown.push_back(ip.address.addr);
  }
  for (const Cidr& gateway : gateways_of(result)) {
    if (!gateway.addr.is_link_local_unicast()) CNIO_TRY(check_gateway_free(host, gateway.addr));
  }
  return unknown;
}

Status leave_to_others(net::Netlink& host, std::vector<IpAddr>& addresses) {
  std::vector<IpAddr> ours;
  for (const IpAddr& address : addresses) {
    CNIO_LET(const Others others, find_others(host, address, net::IfIndex::kNone));
    if (!others.holder) ours.push_back(address);
  }
  addresses = std::move(ours);
  return {};
}

Status connect_host_end(net::Netlink& host, const net::Link& host_end, const AddResult& result,
                        const std::vector<IpAddr>& unknown) {
  for (const Cidr& gateway : gateways_of(result)) {
    const Status added = net::add_address(host, host_end, gateway, net::DuplicateDetection::kOff);
    if (!added.ok() && added.error().errnum() != EEXIST) return added;  // a repair may find it there
  }
  for (const IpConfig& ip : result.ips) {
    const IpAddr& address = ip.address.addr;
    const bool certain =
        address.is_link_local_unicast() || std::find(unknown.begin(), unknown.end(), address) != unknown.end();
    if (!certain) CNIO_TRY(clear_way(host, address, host_end.index));
    CNIO_TRY(lead_to_pod(host, host_end, address));
    if (certain) continue;
    CNIO_LET(const bool leads, leads_to_pod(host, host_end, address));
    if (!leads) return hidden(address);
  }
  return {};
}

Status check_host_routes(net::Netlink& host, const net::Link& host_end, const AddResult& result) {
  const std::string object = "host end " + host_end.name;
  CNIO_TRY(attachment::check_addresses(host, host_end, object, "gateway address", gateways_of(result)));
  for (const IpConfig& ip : result.ips) {
    if (ip.address.addr.is_link_local_unicast()) continue;
    CNIO_LET(const bool leads, leads_to_pod(host, host_end, ip.address.addr));
    if (leads) continue;
    CNIO_LET(const std::optional<net::RouteMatch> match, net::match_route(host, ip.address.addr));
    return attachment::differs(object, "the host's route to " + ip.address.addr.to_string() + " through it",
                               !match           ? "none"
                               : match->barrier ? "one that lets nothing through"
                                                : "one that leads elsewhere");
  }
  return {};
}

}  // namespace cnio::ptp
