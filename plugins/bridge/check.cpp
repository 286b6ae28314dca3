// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge/check.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <set>

#include "cnio/net/address.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/route.hpp"
#include "cnio/net/rule.hpp"

#include "bridge/addressing.hpp"
#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using protocol::AddResult;
using protocol::Interface;
using protocol::Request;

Error differs(const std::string& object, const std::string& expected, const std::string& found) {
  return Error::make(Code::kCheckFailed, object + ": expected " + expected + ", found " + found);
}

std::string on_or_off(bool value) { return value ? "on" : "off"; }

Status check_mac(const std::string& object, const Interface& reported, const net::Link& link) {
  if (reported.mac.empty()) return {};
  const auto expected = MacAddr::parse(reported.mac);
  if (expected && link.mac == expected) return {};
  return differs(object, "MAC address " + reported.mac, link.mac ? link.mac->to_string() : "none");
}

// The entry of an interface on the host (no sandbox) or in a sandbox.
const Interface* find_entry(const AddResult& result, const std::string& name, bool in_sandbox) {
  const auto found = std::find_if(result.interfaces.begin(), result.interfaces.end(), [&](const Interface& entry) {
    return entry.name == name && entry.sandbox.empty() != in_sandbox;
  });
  return found == result.interfaces.end() ? nullptr : &*found;
}

Result<net::Link> check_bridge(net::Netlink& host, const Config& config, const AddResult& prev) {
  const std::string object = "bridge " + config.bridge;
  const Interface* reported = find_entry(prev, config.bridge, false);
  if (reported == nullptr) return differs("prevResult", "an entry for the bridge " + config.bridge, "none");
  CNIO_LET(const std::optional<net::Link> link, net::find_link(host, config.bridge));
  if (!link) return differs(object, "a bridge", "no interface of that name");
  if (link->kind != "bridge") return differs(object, "a bridge", "an interface of kind \"" + link->kind + "\"");
  if (!link->up) return differs(object, "up", "down");
  // Otherwise the reference leaves its bridge's address following the ports': then it says nothing.
  if (config.is_gateway && config.vlan == 0) CNIO_TRY(check_mac(object, *reported, *link));
  if (config.promiscuous && !link->promiscuous) return differs(object, "promiscuous mode on", "off");
  if (config.filters_vlans() && !link->vlan_filtering) return differs(object, "VLAN filtering on", "off");
  return *link;
}

Status check_gateway(net::Netlink& host, const Config& config, const net::Link& bridge, const AddResult& prev) {
  const std::string object = (config.vlan == 0 ? "bridge " : "interface ") + config.gateway_interface();
  CNIO_LET(const std::optional<net::Link> gateway, net::find_link(host, config.gateway_interface()));
  if (!gateway) return differs(object, "the gateway's interface", "no interface of that name");
  if (!gateway->up) return differs(object, "up", "down");
  CNIO_TRY(check_gateway_vlan(host, *gateway, bridge, config));
  CNIO_LET(const std::vector<net::Address> present, net::list_addresses(host, *gateway));
  const std::vector<Cidr> addresses = gateway_addresses(prev);
  for (const Cidr& wanted : addresses) {
    const bool there = std::any_of(present.begin(), present.end(),
                                   [&](const net::Address& address) { return address.cidr == wanted; });
    if (!there) return differs(object, "gateway address " + wanted.to_string(), "it missing");
  }
  CNIO_TRY(check_overlap(host, config, gateway, addresses, Code::kCheckFailed));
  CNIO_TRY(check_forwarding(host, *gateway, addresses, Code::kCheckFailed));
  std::vector<Cidr> sources;
  for (const protocol::IpConfig& ip : prev.ips) sources.push_back(ip.address);
  return check_forward_chains(host, *gateway, sources, Code::kCheckFailed);
}

Result<net::Link> check_sandbox_end(net::Sandbox& sandbox, const Request& request, const Config& config,
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
  if (!link->up && !config.sandbox_end_down) return differs(object, "up", "down");
  return *link;
}

Status check_host_end(net::Netlink& host, net::Sandbox& sandbox, const net::Link& sandbox_end, const net::Link& bridge,
                      const Request& request, const Config& config, const AddResult& prev) {
  CNIO_LET(const std::optional<net::Link> link, sandbox.find_host_end(host, sandbox_end));
  if (!link) return differs("interface " + sandbox_end.name, "a host end", "none on this host");
  const std::string object = "host end " + link->name;
  const Interface* reported = find_entry(prev, link->name, false);
  if (reported == nullptr) return differs("prevResult", "an entry for the host end " + link->name, "none");
  // Nobody sends to it. One that the kernel had drawn, of an older version or of another implementation, udev may have
  // changed since.
  if (reported->mac.starts_with("fe:")) CNIO_TRY(check_mac(object, *reported, *link));
  if (link->master != bridge.index) return differs(object, "in bridge " + bridge.name, "not in it");
  if (!link->up) return differs(object, "up", "down");
  if (link->hairpin.value_or(false) != config.hairpin) {
    return differs(object, "hairpin mode " + on_or_off(config.hairpin), on_or_off(!config.hairpin));
  }
  if (link->isolated.value_or(false) != config.isolated) {
    return differs(object, "port isolation " + on_or_off(config.isolated), on_or_off(!config.isolated));
  }
  CNIO_TRY(check_vlans(host, *link, config));
  if (config.spoof_check) CNIO_TRY(firewall::check_spoof_check(spoof_check_of(request, *link, sandbox_end)));
  if (config.mtu != 0 && link->mtu != config.mtu) {
    return differs(object, "MTU " + std::to_string(config.mtu), std::to_string(link->mtu));
  }
  return {};
}

Status check_addresses(net::Sandbox& sandbox, const net::Link& link, const AddResult& prev) {
  CNIO_LET(const std::vector<net::Address> present, net::list_addresses(sandbox.route(), link));
  for (const protocol::IpConfig& ip : prev.ips) {
    // Entries of other interfaces belong to other plugins of the chain.
    if (ip.interface && *ip.interface < prev.interfaces.size() && prev.interfaces[*ip.interface].name != link.name)
      continue;
    const bool there = std::any_of(present.begin(), present.end(),
                                   [&](const net::Address& address) { return address.cidr == ip.address; });
    if (!there) return differs("interface " + link.name, "address " + ip.address.to_string(), "it missing");
  }
  return {};
}

bool matches(const net::KernelRoute& present, const net::RouteSpec& wanted, const std::set<uint32_t>& tables) {
  if (present.dst != wanted.dst.network() || !tables.contains(present.table)) return false;
  if (wanted.priority && present.priority != *wanted.priority) return false;
  if (!wanted.gateway) return true;
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

Status check_routes(net::Sandbox& sandbox, const net::Link& link, const AddResult& prev) {
  CNIO_LET(const std::vector<net::RouteSpec> wanted, kernel_routes(prev));
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    CNIO_LET(const std::vector<net::KernelRoute> present, net::list_routes(sandbox.route(), link, family));
    std::optional<std::set<uint32_t>> others;
    for (const net::RouteSpec& route : wanted) {
      if (route.dst.family() != family) continue;
      const auto is_in = [&](const std::set<uint32_t>& tables) {
        return std::any_of(present.begin(), present.end(),
                           [&](const net::KernelRoute& candidate) { return matches(candidate, route, tables); });
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

}  // namespace

Status check_links(net::Netlink& host, net::Sandbox& sandbox, const Request& request, const Config& config,
                   const AddResult& prev_result) {
  CNIO_LET(const net::Link bridge, check_bridge(host, config, prev_result));
  if (config.is_gateway && !config.layer2()) CNIO_TRY(check_gateway(host, config, bridge, prev_result));
  CNIO_LET(const net::Link sandbox_end, check_sandbox_end(sandbox, request, config, prev_result));
  CNIO_TRY(check_host_end(host, sandbox, sandbox_end, bridge, request, config, prev_result));
  CNIO_TRY(check_addresses(sandbox, sandbox_end, prev_result));
  return check_routes(sandbox, sandbox_end, prev_result);
}

}  // namespace cnio::bridge
