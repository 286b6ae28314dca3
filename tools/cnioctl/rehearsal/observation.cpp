// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/rehearsal/observation.hpp"

#include <algorithm>
#include <array>
#include <linux/rtnetlink.h>
#include <map>
#include <utility>

#include "cnio/firewall/owned_rules.hpp"
#include "cnio/net/address.hpp"
#include "cnio/net/link/bridge_vlan.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/net/nftables/table_text.hpp"
#include "cnio/net/qdisc.hpp"
#include "cnio/net/route.hpp"
#include "cnio/net/sysctl.hpp"

#include "cnioctl/sort_stably.hpp"

namespace cnio::cnioctl {
namespace {

using net::Link;
using net::Netlink;

constexpr std::array<std::string_view, 5> kWheres = {"host", "pod", "nft", "sysctl", "file"};
constexpr std::array<const char*, 4> kObservedSettings = {"ipv4/ip_forward", "ipv6/conf/all/forwarding",
                                                          "ipv4/conf/all/route_localnet", "ipv4/conf/all/arp_notify"};

// What an interface is, as people call it.
std::string link_text(const Link& link, const std::map<net::IfIndex, std::string>& names) {
  std::string text = "link " + link.name;
  if (!link.kind.empty()) text += " (" + link.kind + ")";
  const auto master = names.find(link.master);
  if (master != names.end()) text += " in " + master->second;
  text += ", MTU " + std::to_string(link.mtu) + (link.up ? ", up" : ", down");
  if (link.promiscuous) text += ", promiscuous";
  if (link.hairpin == true) text += ", hairpin";
  if (link.isolated == true) text += ", isolated";
  if (link.vlan_filtering) text += ", filters VLANs";
  return text;
}

std::string route_text(const net::KernelRoute& route, const Link& link) {
  std::string text = "route " + route.dst.to_string();
  for (const IpAddr& gateway : route.gateways) text += " via " + gateway.to_string();
  text += " dev " + link.name;
  if (route.table != RT_TABLE_MAIN) text += " table " + std::to_string(route.table);
  if (route.priority != 0) text += " metric " + std::to_string(route.priority);
  if (route.mtu != 0) text += " mtu " + std::to_string(route.mtu);
  return text;
}

bool is_made_by_kernel(const Cidr& cidr) { return cidr.addr.is_link_local_unicast() || cidr.addr.is_multicast(); }

Status observe_routes(Netlink& route, const Link& link, Thing::Where where, Things& out) {
  for (const Family family : kFamilies) {
    CNIO_LET(const std::vector<net::KernelRoute> routes, net::list_routes(route, link, family));
    for (const net::KernelRoute& each : routes) {
      if (!is_made_by_kernel(each.dst)) out.insert({where, route_text(each, link)});
    }
  }
  return {};
}

// Discipline of a rate, and VLANs of a port: what plugins give to links besides.
Status observe_dressing(Netlink& route, const Link& link, Thing::Where where, Things& out) {
  CNIO_LET(const std::vector<net::Qdisc> qdiscs, net::list_qdiscs(route, link));
  for (const net::Qdisc& each : qdiscs) {
    if (!each.chosen_by_kernel()) out.insert({where, "queue discipline " + each.kind + " dev " + link.name});
  }
  if (link.master == net::IfIndex::kNone || where == Thing::Where::kPod) return {};
  const auto vlans = net::list_port_vlans(route, link);
  // Of bridges that filter none, the kernel may know nothing.
  if (vlans.ok() && !vlans.value().empty()) {
    out.insert({where, "VLANs of " + link.name + ": " + net::to_string(vlans.value())});
  }
  return {};
}

}  // namespace

std::vector<Thing> in_order(const Things& things) {
  constexpr std::array<std::string_view, 3> kFirst = {"link ", "address ", "route "};
  const auto rank = [&](const Thing& thing) {
    return std::find_if(kFirst.begin(), kFirst.end(), [&](auto word) { return thing.text.starts_with(word); }) -
           kFirst.begin();
  };
  std::vector<Thing> out(things.begin(), things.end());
  sort_stably(
      out, [&](const Thing& a, const Thing& b) { return std::pair(a.where, rank(a)) < std::pair(b.where, rank(b)); });
  return out;
}

std::string_view to_string(Thing::Where where) { return kWheres.at(static_cast<size_t>(where)); }

Status observe_links(Netlink& route, Thing::Where where, Things& out) {
  CNIO_LET(const std::vector<Link> links, net::list_links(route));
  std::map<net::IfIndex, std::string> names;
  for (const Link& link : links) names.emplace(link.index, link.name);
  for (const Link& link : links) {
    out.insert({where, link_text(link, names)});
    CNIO_LET(const std::vector<net::Address> addresses, net::list_addresses(route, link));
    for (const net::Address& each : addresses) {
      if (is_made_by_kernel(each.cidr)) continue;
      out.insert({where, "address " + each.cidr.to_string() + " dev " + link.name});
    }
    CNIO_TRY(observe_routes(route, link, where, out));
    CNIO_TRY(observe_dressing(route, link, where, out));
  }
  return {};
}

Status observe_rules(Things& out) {
  CNIO_LET(auto nft, net::NftConnection::open());
  if (!nft) return {};
  CNIO_LET(const std::vector<net::NftTableChain> chains, nft->list_base_chains());
  for (const net::NftTableChain& each : chains) {
    out.insert({Thing::Where::kRules, "table " + net::to_string(each.table) + ", chain " + each.chain.name});
  }
  CNIO_LET(const std::vector<firewall::OwnedRules> rules, firewall::list_owned_rules(*nft));
  for (const firewall::OwnedRules& each : rules) {
    std::string text = std::string(to_string(each.kind)) + ": " + net::to_string(each.table) + " " + each.object;
    for (const IpAddr& address : each.addresses) text += ", " + address.to_string();
    out.insert({Thing::Where::kRules, text});
  }
  return {};
}

Status observe_settings(Netlink& route, Things& out) {
  const auto add = [&](const std::string& name, const std::optional<std::string>& value) {
    if (value && *value != "0") out.insert({Thing::Where::kSettings, name + " = " + *value});
  };
  for (const char* key : kObservedSettings) {
    CNIO_LET(const auto value, net::read_sysctl(key));
    add(std::string("net/") + key, value);
  }
  CNIO_LET(const std::vector<Link> links, net::list_links(route));
  for (const Link& link : links) {
    const net::LinkSetting setting{Family::kIpv4, link.name, "route_localnet"};
    CNIO_LET(const auto value, net::read_sysctl(setting));
    add(to_string(setting), value);
  }
  return {};
}

}  // namespace cnio::cnioctl
