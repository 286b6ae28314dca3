// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/compare.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <set>

#include "cnio/attachment/addressing.hpp"
#include "cnio/net/address.hpp"
#include "cnio/net/rule.hpp"

namespace cnio::attachment {

using protocol::AddResult;
using protocol::Interface;
using protocol::Request;

Error differs(const std::string& object, const std::string& expected, const std::string& found) {
  return Error::make(Code::kCheckFailed, object + ": expected " + expected + ", found " + found);
}

Status check_mac(const std::string& object, const Interface& reported, const net::Link& link) {
  if (reported.mac.empty()) return {};
  const auto expected = MacAddr::parse(reported.mac);
  if (expected && link.mac == expected) return {};
  return differs(object, "MAC address " + reported.mac, link.mac ? link.mac->to_string() : "none");
}

Result<net::Link> check_sandbox_end(net::Sandbox& sandbox, const Request& request, const Network& network,
                                    const AddResult& prev) {
  const std::string& name = request.attachment.ifname;
  const std::string object = "interface " + name + " in " + request.netns_path;
  // By name alone: the sandbox may have been reached by another path when it was added.
  const Interface* reported = find_entry(prev, name, true);
  if (reported == nullptr) return differs("prevResult", "an entry for the interface " + name, "none");
  CNIO_LET(const std::optional<net::Link> link, net::find_link(sandbox.route(), name));
  if (!link) return differs(object, "a veth", "no interface of that name");
  if (link->kind != "veth") return differs(object, "a veth", "an interface of kind \"" + link->kind + "\"");
  CNIO_TRY(check_mac(object, *reported, *link));
  if (!link->up && !network.sandbox_end_down) return differs(object, "up", "down");
  return *link;
}

Result<net::Link> check_host_end(net::Netlink& host, net::Sandbox& sandbox, const net::Link& sandbox_end,
                                 const Network& network, const AddResult& prev) {
  CNIO_LET(const std::optional<net::Link> link, sandbox.find_host_end(host, sandbox_end));
  if (!link) return differs("interface " + sandbox_end.name, "a host end", "none on this host");
  const std::string object = "host end " + link->name;
  if (find_entry(prev, link->name, false) == nullptr) {
    return differs("prevResult", "an entry for the host end " + link->name, "none");
  }
  if (!link->up) return differs(object, "up", "down");
  if (network.mtu != 0 && link->mtu != network.mtu) {
    return differs(object, "MTU " + std::to_string(network.mtu), std::to_string(link->mtu));
  }
  return *link;
}

Status check_addresses(net::Netlink& route, const net::Link& link, const std::string& object, const std::string& kind,
                       const std::vector<Cidr>& wanted) {
  CNIO_LET(const std::vector<net::Address> present, net::list_addresses(route, link));
  for (const Cidr& each : wanted) {
    const bool there =
        std::any_of(present.begin(), present.end(), [&](const net::Address& address) { return address.cidr == each; });
    if (!there) return differs(object, kind + " " + each.to_string(), "it missing");
  }
  return {};
}

Status check_addresses(net::Sandbox& sandbox, const net::Link& link, const AddResult& prev) {
  return check_addresses(sandbox.route(), link, "interface " + link.name, "address",
                         networks_of(part_of(prev, link.name)));
}

namespace {

// As the kernel keeps it: cut, and of IPv6 led along as the link's MTU changes.
bool has_mtu(const net::KernelRoute& present, uint32_t wanted, const net::Link& link) {
  constexpr uint32_t kMost = 65535 - 15;
  return present.mtu == std::min(wanted, kMost) || (!present.dst.addr.is_v4() && present.mtu == link.mtu);
}

bool has_segment_size(const net::KernelRoute& present, uint32_t wanted) {
  constexpr uint32_t kMost = 65535 - 40;
  return present.advmss == std::min(wanted, kMost);
}

bool matches(const net::KernelRoute& present, const net::RouteSpec& wanted, const std::set<uint32_t>& tables,
             const net::Link& link) {
  if (present.dst != wanted.dst.network() || !tables.contains(present.table)) return false;
  if (wanted.priority && present.priority != *wanted.priority) return false;
  if (wanted.mtu && !has_mtu(present, *wanted.mtu, link)) return false;
  if (wanted.advmss && !has_segment_size(present, *wanted.advmss)) return false;
  // IPv6 knows no scopes: by the reference such a route leads through the gateway.
  if (!wanted.gateway) return present.gateways.empty() || (!wanted.dst.addr.is_v4() && wanted.scope);
  return std::find(present.gateways.begin(), present.gateways.end(), *wanted.gateway) != present.gateways.end();
}

// The tables that a packet from the interface's addresses is looked up in. Another plugin of the chain may have moved
// its routes there (sbr, vrf).
Result<std::set<uint32_t>> tables_for(net::Sandbox& sandbox, const net::Link& link,
                                      const std::vector<net::Address>& addresses, Family family) {
  CNIO_LET(const std::vector<net::Rule> rules, net::list_rules(sandbox.route(), family));
  CNIO_LET(const std::optional<net::Link> master, net::find_link(sandbox.route(), link.master));
  std::set<uint32_t> tables;
  for (const net::Rule& rule : rules) {
    const bool ours = !rule.source || std::any_of(addresses.begin(), addresses.end(), [&](const net::Address& each) {
      return rule.source->contains(each.cidr.addr);
    });
    if (ours) tables.insert(rule.table != RT_TABLE_UNSPEC ? rule.table : master ? master->vrf_table : RT_TABLE_MAIN);
  }
  return tables;
}

}  // namespace

Status check_routes(net::Sandbox& sandbox, const net::Link& link, const std::vector<net::RouteSpec>& wanted) {
  for (const Family family : kFamilies) {
    CNIO_LET(const std::vector<net::KernelRoute> present, net::list_routes(sandbox.route(), link, family));
    std::optional<std::set<uint32_t>> others;
    for (const net::RouteSpec& route : wanted) {
      if (route.dst.family() != family) continue;
      const auto is_in = [&](const std::set<uint32_t>& tables) {
        return std::any_of(present.begin(), present.end(),
                           [&](const net::KernelRoute& candidate) { return matches(candidate, route, tables, link); });
      };
      if (is_in({route.table.value_or(RT_TABLE_MAIN)})) continue;
      if (!others) {
        CNIO_LET(const std::vector<net::Address> own, net::list_addresses(sandbox.route(), link, family));
        CNIO_LET(others, tables_for(sandbox, link, own, family));
      }
      if (!is_in(*others)) return differs("interface " + link.name, "route " + to_string(route), "it missing");
    }
  }
  return {};
}

}  // namespace cnio::attachment
