// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/addressing.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>

namespace cnio::attachment {
namespace {

using protocol::AddResult;
using protocol::Interface;
using protocol::IpConfig;
using protocol::Route;

bool in_main_table(const Route& route) {
  return !route.table || *route.table == RT_TABLE_UNSPEC || *route.table == RT_TABLE_MAIN;
}

bool has_default_route(const AddResult& result, Family family) {
  return std::any_of(result.routes.begin(), result.routes.end(), [&](const Route& route) {
    return route.dst.family() == family && route.dst.is_default_route() && in_main_table(route);
  });
}

Cidr any_network(Family family) {
  static constexpr uint8_t kZeros[16] = {};
  return {IpAddr::from_bytes(family, kZeros), 0};
}

void add_default_routes(AddResult& result) {
  for (const Family family : kFamilies) {
    const auto first = std::find_if(result.ips.begin(), result.ips.end(),
                                    [&](const IpConfig& ip) { return ip.address.family() == family; });
    if (first == result.ips.end() || !first->gateway || has_default_route(result, family)) continue;
    Route route;
    route.dst = any_network(family);
    route.gw = first->gateway;
    result.routes.push_back(route);
  }
}

std::optional<IpAddr> first_gateway(const AddResult& result, Family family) {
  for (const IpConfig& ip : result.ips) {
    if (ip.gateway && ip.gateway->family() == family) return ip.gateway;
  }
  return std::nullopt;
}

// A number of the result as the kernel's unsigned one; absent and, unless it means something, zero are not set.
Result<std::optional<uint32_t>> kernel_number(const Route& route, std::string_view name,
                                              const std::optional<int64_t>& value) {
  if (!value || *value == 0) return std::optional<uint32_t>();
  if (*value < 0 || *value > UINT32_MAX) {
    return Error::make(Code::kDelegate, "route " + route.dst.to_string() + ": " + std::string(name) + " " +
                                            std::to_string(*value) + " is out of range");
  }
  return std::optional(static_cast<uint32_t>(*value));
}

Result<net::RouteSpec> kernel_route(const AddResult& result, const Route& route) {
  net::RouteSpec spec;
  spec.dst = route.dst;
  spec.gateway = route.gw;
  if (route.scope) {
    if (*route.scope < 0 || *route.scope > UINT8_MAX) {
      return Error::make(Code::kDelegate, "route " + route.dst.to_string() + ": scope " + std::to_string(*route.scope) +
                                              " is out of range");
    }
    spec.scope = static_cast<uint8_t>(*route.scope);
  }
  bool on_link = spec.scope && *spec.scope >= RT_SCOPE_LINK;
  if (spec.gateway && spec.gateway->is_unspecified()) {  // as dhcp says it (RFC 3442), and the kernel takes it
    spec.gateway = std::nullopt;
    spec.scope = spec.scope.value_or(RT_SCOPE_UNIVERSE);
    on_link = true;
  }
  if (!spec.gateway && !on_link) spec.gateway = first_gateway(result, route.dst.family());
  CNIO_LET(spec.table, kernel_number(route, "table", route.table));
  CNIO_LET(spec.priority, kernel_number(route, "priority", route.priority));
  CNIO_LET(spec.mtu, kernel_number(route, "mtu", route.mtu));
  CNIO_LET(spec.advmss, kernel_number(route, "advmss", route.advmss));
  return spec;
}

Status check_addresses(const Completion& completion, const AddResult& result) {
  const std::string returned = "IPAM plugin " + quote(completion.ipam_type) + " returned ";
  const auto check = [&](const std::string& kind, const Cidr& address) -> Status {
    const std::string_view why = address.why_no_host();
    if (why.empty()) return {};
    const std::string clause = ", which " + std::string(why);
    return Error::make(Code::kDelegate, returned + "the " + kind + " " + address.to_string() + clause)
        .hint("look at the subnets, ranges and addresses in \"ipam\"");
  };
  for (auto ip = result.ips.begin(); ip != result.ips.end(); ++ip) {
    CNIO_TRY(check("address", ip->address));
    if (ip->gateway) CNIO_TRY(check("gateway", {*ip->gateway, ip->address.prefix}));
    const bool twice = std::any_of(result.ips.begin(), ip,
                                   [&](const IpConfig& other) { return other.address.addr == ip->address.addr; });
    if (twice) return Error::make(Code::kDelegate, returned + "the address " + ip->address.to_string() + " twice");
  }
  return {};
}

Status check_gateways(const Completion& completion, const AddResult& result) {
  const std::string returned = "IPAM plugin " + quote(completion.ipam_type) + " returned ";
  for (const IpConfig& ip : result.ips) {
    if (ip.gateway && ip.gateway->family() != ip.address.family()) {
      return Error::make(Code::kDelegate, returned + "the gateway " + ip.gateway->to_string() + " for the " +
                                              std::string(family_name(ip.address.family())) + " address " +
                                              ip.address.to_string());
    }
    if (completion.gateways && ip.gateway == ip.address.addr) {
      return Error::make(Code::kDelegate, returned + "the address " + ip.address.to_string() +
                                              ", which is also the gateway's: the bridge and the container cannot "
                                              "share it")
          .hint("give the range a gateway of its own; without one it is the first address of the subnet");
    }
  }
  return {};
}

}  // namespace

Result<AddResult> complete_ipam_result(const Completion& completion, AddResult ipam) {
  if (ipam.ips.empty()) {
    return Error::make(Code::kDelegate, "IPAM plugin " + quote(completion.ipam_type) + " returned no address");
  }
  for (IpConfig& ip : ipam.ips) {
    ip.interface = completion.sandbox_entry;
    if (!ip.gateway && completion.gateways) ip.gateway = ip.address.network().addr.next();
  }
  CNIO_TRY(check_gateways(completion, ipam));
  CNIO_TRY(check_addresses(completion, ipam));
  ipam.interfaces.clear();  // the plugin's entries take their place
  if (completion.default_routes) add_default_routes(ipam);
  return ipam;
}

std::vector<Cidr> gateway_addresses(const AddResult& result) {
  std::vector<Cidr> out;
  for (const IpConfig& ip : result.ips) {
    if (!ip.gateway) continue;
    const Cidr address{*ip.gateway, ip.address.prefix};
    if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  return out;
}

namespace {

// What the kernel makes of what is left open: routes that come to the same have the same.
net::RouteSpec in_full(net::RouteSpec route) {
  constexpr uint32_t kIpv6Priority = 1024;  // IP6_RT_PRIO_USER
  const bool v4 = route.dst.family() == Family::kIpv4;
  route.dst = route.dst.network();
  route.table = route.table.value_or(RT_TABLE_MAIN);
  route.priority = route.priority.value_or(v4 ? 0 : kIpv6Priority);
  // IPv6 knows no scopes.
  const bool open = !route.scope || !v4;
  if (open) route.scope = v4 && !route.gateway ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  return route;
}

// The kernel takes a route for an address's own network by itself.
bool comes_with_address(const AddResult& result, const net::RouteSpec& full) {
  const bool plain = !full.gateway && full.table == RT_TABLE_MAIN && !full.mtu && !full.advmss &&
                     (full.dst.family() == Family::kIpv6 || (full.priority == 0U && full.scope == RT_SCOPE_LINK));
  return plain && std::any_of(result.ips.begin(), result.ips.end(), [&](const IpConfig& ip) {
           return ip.address.network() == full.dst && ip.address.prefix < ip.address.addr.bits();
         });
}

// Of two routes to one destination the kernel would use one (IPv4), or refuse one (IPv6, which has several gateways of
// one route to choose from).
bool excludes(const net::RouteSpec& one, const net::RouteSpec& other) {
  if (one.dst != other.dst || one.table != other.table || one.priority != other.priority) return false;
  return one.dst.family() == Family::kIpv4 || one.gateway == other.gateway || !one.gateway || !other.gateway;
}

}  // namespace

Result<std::vector<net::RouteSpec>> kernel_routes(const AddResult& result) {
  std::vector<net::RouteSpec> out;
  std::vector<net::RouteSpec> full;
  for (const Route& route : result.routes) {
    CNIO_LET(const net::RouteSpec spec, kernel_route(result, route));
    const net::RouteSpec each = in_full(spec);
    if (comes_with_address(result, each) || std::find(full.begin(), full.end(), each) != full.end()) continue;
    const auto rival =
        std::find_if(full.begin(), full.end(), [&](const net::RouteSpec& other) { return excludes(each, other); });
    if (rival != full.end()) {
      return Error::make(Code::kDelegate, "the network has two routes of which only one can be used: " +
                                              to_string(out[static_cast<size_t>(rival - full.begin())]) + " and " +
                                              to_string(spec))
          .hint("leave one of them out, or give them a \"priority\" each");
    }
    out.push_back(spec);
    full.push_back(each);
  }
  return out;
}

std::vector<Cidr> networks_of(const AddResult& result) {
  std::vector<Cidr> out;
  for (const IpConfig& ip : result.ips) out.push_back(ip.address);
  return out;
}

std::vector<IpAddr> addresses_of(const AddResult& result) {
  std::vector<IpAddr> out;
  for (const IpConfig& ip : result.ips) out.push_back(ip.address.addr);
  return out;
}

const Interface* find_entry(const AddResult& result, const std::string& name, bool in_sandbox) {
  const auto found = std::find_if(result.interfaces.begin(), result.interfaces.end(), [&](const Interface& entry) {
    return entry.name == name && entry.sandbox.empty() != in_sandbox;
  });
  return found == result.interfaces.end() ? nullptr : &*found;
}

AddResult part_of(AddResult result, const std::string& ifname) {
  const auto is_others = [&](const IpConfig& ip) {
    // Old versions do not say whose an address is.
    if (!ip.interface || *ip.interface >= result.interfaces.size()) return false;
    const Interface& entry = result.interfaces[*ip.interface];
    return entry.sandbox.empty() || entry.name != ifname;
  };
  std::erase_if(result.ips, is_others);
  return result;
}

Recorded recorded_attachment(const std::optional<AddResult>& result, const std::string& ifname) {
  Recorded recorded;
  if (!result) return recorded;
  if (const Interface* entry = find_entry(*result, ifname, true)) recorded.mac = MacAddr::parse(entry->mac);
  recorded.addresses = addresses_of(part_of(*result, ifname));
  return recorded;
}

}  // namespace cnio::attachment
