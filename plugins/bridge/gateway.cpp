// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>

#include "cnio/attachment/forwarding.hpp"
#include "cnio/attachment/sandbox_end.hpp"
#include "cnio/net/own_address.hpp"

#include "bridge/steps.hpp"

// The bridge as its pods' gateway.
namespace cnio::bridge {
namespace {

// Would the host lose something of its own with the gateway interface's address? What we made has none.
Result<bool> is_hosts_own(net::Netlink& host, const Config& config, const net::Link& gateway) {
  if (config.vlan == 0 && !is_our_bridge(gateway)) return true;
  for (const Family family : kFamilies) {
    CNIO_LET(const std::vector<net::KernelRoute> routes, net::list_routes(host, gateway, family));
    if (std::any_of(routes.begin(), routes.end(), [](const auto& route) { return route.dst.prefix == 0; })) return true;
  }
  return false;
}

Error address_conflict(net::Netlink& host, const Config& config, const net::Link& gateway, const Cidr& present,
                       const Cidr& wanted) {
  Error error = Error::make(Code::kConflict, (config.vlan == 0 ? "bridge " : "interface ") + gateway.name +
                                                 " has the address " + present.to_string() +
                                                 ", which conflicts with the gateway address " + wanted.to_string());
  const auto own = is_hosts_own(host, config, gateway);
  if (own.ok() && !own.value()) {
    return std::move(error).hint(
        "set \"forceAddress\": true to have it replaced, or use another bridge for this network");
  }
  return std::move(error).hint("use another bridge for this network, or make " + present.addr.to_string() +
                               " its gateway; do not replace the address, by which this host may be reached");
}

bool conflicts(const Cidr& present, const Cidr& wanted) {
  if (present.family() != wanted.family() || present == wanted) return false;
  // A bridge has its own link-local address besides any gateway.
  if (present.addr.is_link_local_unicast() && !present.addr.is_v4()) return false;
  return present.addr.is_v4() || present.overlaps(wanted);
}

// The first of the addresses that are wanted, of one family.
std::optional<Cidr> first_of(const std::vector<Cidr>& addresses, Family family) {
  const auto found =
      std::find_if(addresses.begin(), addresses.end(), [&](const Cidr& cidr) { return cidr.family() == family; });
  return found == addresses.end() ? std::nullopt : std::optional(*found);
}

Status require_ipv6_for(const net::Link& gateway, const Config& config, const std::vector<Cidr>& addresses) {
  const std::optional<Cidr> address = first_of(addresses, Family::kIpv6);
  return address ? attachment::require_ipv6(gateway, network_of(config), "the address " + address->to_string())
                 : Status();
}

}  // namespace

Result<GatewayPlan> plan_gateway(net::Netlink& host, const Config& config, const std::vector<Cidr>& wanted) {
  GatewayPlan plan;
  if (wanted.empty()) return plan;
  CNIO_LET(const std::optional<net::Link> gateway, net::find_link(host, config.gateway_interface()));
  std::vector<net::Address> present;
  if (gateway) {
    CNIO_LET(present, net::list_addresses(host, *gateway));
  }
  const auto is_wanted = [&](const Cidr& cidr) {
    return std::find(wanted.begin(), wanted.end(), cidr) != wanted.end();
  };
  for (const net::Address& address : present) {
    const auto conflict =
        std::find_if(wanted.begin(), wanted.end(), [&](const Cidr& cidr) { return conflicts(address.cidr, cidr); });
    if (conflict == wanted.end() || is_wanted(address.cidr)) continue;
    if (!config.force_address) return address_conflict(host, config, *gateway, address.cidr, *conflict);
    plan.remove.push_back(address.cidr);
  }
  for (const Cidr& cidr : wanted) {
    const bool there =
        std::any_of(present.begin(), present.end(), [&](const net::Address& address) { return address.cidr == cidr; });
    if (!there) plan.add.push_back(cidr);
  }
  if (gateway) CNIO_TRY(require_ipv6_for(*gateway, config, plan.add));
  CNIO_TRY(check_overlap(host, config, gateway, plan.add, Code::kConflict));
  return plan;
}

Status configure_gateway(net::Netlink& host, const BridgeLink& bridge, const Config& config, const GatewayPlan& plan,
                         const std::vector<Cidr>& wanted) {
  if (wanted.empty()) return {};
  CNIO_TRY(attachment::switch_on_forwarding(host, wanted, config.host_prefix));
  CNIO_LET(const net::Link gateway, ensure_gateway_interface(host, bridge.link, config));
  CNIO_TRY(attachment::let_forward(gateway, wanted));
  if (config.vlan != 0) CNIO_TRY(require_ipv6_for(gateway, config, plan.add));
  for (const Cidr& cidr : plan.remove) CNIO_TRY(net::remove_address(host, gateway, cidr));
  for (const Cidr& cidr : plan.add) {
    const Status added = net::add_address(host, gateway, cidr, net::DuplicateDetection::kOff);
    if (!added.ok() && added.error().errnum() != EEXIST) return added;
  }
  if (plan.add.empty() || bridge.mac_settled) return {};
  // It may still take its MAC from its ports, if not from ours. What it is now stays, not what it was when this ADD
  // began: another ADD may have settled it since, and reported it.
  CNIO_LET(const std::optional<net::Link> now, net::find_link(host, bridge.link.index));
  return keep_mac(host, now.value_or(bridge.link));
}

Result<attachment::HostAddresses> own_addresses(net::Netlink& host, const BridgeLink& bridge, const Config& config,
                                                const std::vector<Cidr>& gateways) {
  CNIO_LET(const std::optional<net::Link> gateway, net::find_link(host, config.gateway_interface()));
  if (!gateway) return lost_bridge(config.bridge);
  attachment::HostAddresses out{*gateway, {}};
  for (const Cidr& each : gateways) {
    if (!each.addr.is_v4()) out.addresses.push_back(each.addr);
  }
  if (config.vlan == 0 && !is_our_bridge(bridge.link)) return out;
  if (!gateway->operational) CNIO_TRY(attachment::wait_operational(host, *gateway, net::listen_here));
  CNIO_LET(const std::vector<IpAddr> own, net::list_link_local_addresses(host, out.link));
  out.addresses.insert(out.addresses.end(), own.begin(), own.end());
  return out;
}

}  // namespace cnio::bridge
