// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "static/config.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "cnio/ipam/requested.hpp"

#include "static/keys.hpp"

namespace cnio::static_ipam {
namespace {

using ipam::Requested;
using protocol::Fields;
using protocol::Request;
using protocol::Route;

struct Gateway {
  IpAddr addr;
  Requested written;
};

// An address that may be given, and where it and its gateway were written.
struct Entry {
  Requested written;
  std::optional<Gateway> gateway;
  Cidr address{};  // once it has been read
};

Result<std::vector<Entry>> configured(const Fields& ipam) {
  CNIO_LET(const std::vector<Fields> members, ipam.objects("addresses"));
  std::vector<Entry> out;
  for (const Fields& member : members) {
    CNIO_LET(std::string text, member.text("address"));
    Entry entry{{std::move(text), member.path_of("address")}, std::nullopt};
    CNIO_LET(const std::optional<IpAddr> gateway, member.ip("gateway"));
    if (gateway) entry.gateway = Gateway{*gateway, {gateway->to_string(), member.path_of("gateway")}};
    out.push_back(std::move(entry));
  }
  return out;
}

// The members of a comma-separated list under a key of CNI_ARGS, without the blanks around them.
std::vector<Requested> listed(const std::map<std::string, std::string, std::less<>>& arguments, std::string_view key) {
  std::vector<Requested> out;
  const auto found = arguments.find(key);
  if (found == arguments.end()) return out;
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  for (std::string_view rest = found->second;;) {
    const size_t comma = rest.find(',');
    std::string_view each = rest.substr(0, comma);
    each.remove_prefix(std::min(each.find_first_not_of(kBlanks), each.size()));
    out.push_back({std::string(each.substr(0, each.find_last_not_of(kBlanks) + 1)), std::string(key), true});
    if (comma == std::string_view::npos) return out;
    rest.remove_prefix(comma + 1);
  }
}

Result<std::vector<Gateway>> parse_gateways(const std::vector<Requested>& written) {
  std::vector<Gateway> out;
  for (const Requested& each : written) {
    const auto addr = IpAddr::parse(each.text);
    if (!addr) return each.fault("must be an IP address, or several with commas between them, not " + quote(each.text));
    out.push_back({*addr, each});
  }
  return out;
}

void append(std::vector<Entry>& entries, std::vector<Requested> requested) {
  for (Requested& each : requested) entries.push_back({std::move(each), std::nullopt});
}

// What the runtime says in a list takes the place of all else, with the gateways. What is replaced need not be good.
void replace(std::vector<Entry>& entries, std::vector<Gateway>& gateways, std::vector<Requested> requested) {
  if (requested.empty()) return;
  entries.clear();
  gateways.clear();
  append(entries, std::move(requested));
}

Status read_address(Entry& entry) {
  const Requested& written = entry.written;
  if (written.text.empty()) return written.fault("must be an address with a prefix length, but is missing or empty");
  const auto address = Cidr::parse(written.text);
  if (!address) {
    return written.fault("must be an address with a prefix length such as 10.1.0.5/24, not " + quote(written.text));
  }
  const std::string shown = address->to_string() + " ";
  if (const std::string_view why = address->why_no_host(); !why.empty()) return written.fault(shown + std::string(why));
  if (address->is_network_address()) {
    return written.fault(shown + "is the address of the network itself, not one of its hosts'");
  }
  entry.address = *address;
  return {};
}

Status read_addresses(std::vector<Entry>& entries) {
  std::map<IpAddr, std::string> seen;
  for (Entry& entry : entries) {
    CNIO_TRY(read_address(entry));
    const auto [other, is_new] = seen.try_emplace(entry.address.addr, entry.written.key);
    if (is_new) continue;
    return entry.written.fault(entry.address.addr.to_string() + " is there twice, also under " + quote(other->second));
  }
  return {};
}

// Can a pod send to the gateway although that is not in the address's network? A single address has no network but
// what routes say (clouds give such), link-local gateways are on the link by definition, and a route of scope link may
// lead to any.
bool reaches_beyond(const Cidr& address, const IpAddr& gateway, const std::vector<Route>& routes) {
  if (address.family() != gateway.family()) return false;
  if (address.prefix == address.addr.bits() || gateway.is_link_local_unicast()) return true;
  return std::any_of(routes.begin(), routes.end(), [&](const Route& route) {
    return route.scope && *route.scope >= RT_SCOPE_LINK && route.dst.contains(gateway);
  });
}

// A gateway of CNI_ARGS is for the addresses in whose network it is, or else for those that can reach it.
Status assign(const Gateway& gateway, std::vector<Entry>& entries, const std::vector<Route>& routes) {
  const auto give = [&](const auto& suits) {
    bool any = false;
    for (Entry& entry : entries) {
      if (!suits(entry.address)) continue;
      entry.gateway = gateway;
      any = true;
    }
    return any;
  };
  if (give([&](const Cidr& address) { return address.contains(gateway.addr); })) return {};
  if (give([&](const Cidr& address) { return reaches_beyond(address, gateway.addr, routes); })) return {};
  return gateway.written.fault(gateway.addr.to_string() + " is in the network of none of the addresses");
}

Status check_gateway(const Entry& entry, const std::vector<Entry>& entries, const std::vector<Route>& routes) {
  const IpAddr& addr = entry.gateway->addr;
  const Requested& written = entry.gateway->written;
  const bool own =
      std::any_of(entries.begin(), entries.end(), [&](const Entry& each) { return each.address.addr == addr; });
  if (own) return written.fault(addr.to_string() + " is the container's own address");
  const std::string_view why = Cidr::host(addr).why_no_host();
  if (!why.empty()) return written.fault(addr.to_string() + " " + std::string(why));
  if (!entry.address.contains(addr) && reaches_beyond(entry.address, addr, routes)) return {};
  const std::string problem = ipam::why_no_gateway(entry.address.network(), addr);
  return problem.empty() ? Status() : written.fault(problem);
}

// All that may be given, in order, and the gateways that CNI_ARGS has for them.
Result<std::vector<Entry>> parse_entries(const Request& request, const Fields& ipam, const std::vector<Route>& routes) {
  CNIO_LET(std::vector<Entry> entries, configured(ipam));
  CNIO_LET(const auto arguments, ipam::parse_arguments(request, kKeys));
  append(entries, listed(arguments, "IP"));
  CNIO_LET(std::vector<Gateway> gateways, parse_gateways(listed(arguments, "GATEWAY")));
  CNIO_LET(std::vector<Requested> by_args, ipam::requested_by_args(request.fields(kKeys)));
  replace(entries, gateways, std::move(by_args));
  CNIO_LET(std::vector<Requested> by_runtime, ipam::requested_by_runtime(request.fields(kKeys)));
  replace(entries, gateways, std::move(by_runtime));
  CNIO_TRY(read_addresses(entries));
  for (const Gateway& each : gateways) CNIO_TRY(assign(each, entries, routes));
  for (const Entry& entry : entries) {
    if (entry.gateway) CNIO_TRY(check_gateway(entry, entries, routes));
  }
  return entries;
}

}  // namespace

Result<Config> parse_config(const Request& request) {
  CNIO_LET(const Fields ipam, ipam::ipam_of(request.fields(kKeys)));
  Config config;
  CNIO_LET(config.routes, protocol::parse_routes(ipam, "routes"));
  CNIO_LET(const Fields dns, ipam.object("dns"));
  CNIO_LET(config.dns, protocol::parse_dns(dns));
  CNIO_LET(const std::vector<Entry> entries, parse_entries(request, ipam, config.routes));
  std::vector<Family> families;
  for (const Entry& entry : entries) {
    const auto gateway = entry.gateway ? std::optional(entry.gateway->addr) : std::nullopt;
    config.addresses.push_back({entry.address, gateway, std::nullopt});
    families.push_back(entry.address.family());
  }
  CNIO_TRY(ipam::check_room(families, "addresses", request.version));
  return config;
}

}  // namespace cnio::static_ipam
