// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>

#include "cnio/attachment/routers.hpp"
#include "cnio/base/sha512.hpp"
#include "cnio/net/link/bridge.hpp"
#include "cnio/net/link/bridge_vlan.hpp"
#include "cnio/net/link/veth.hpp"
#include "cnio/net/sysctl.hpp"

#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using net::PortVlan;

constexpr uint16_t kDefaultVlan = 1;  // of a port of a trunk without a native VLAN of its own

std::vector<PortVlan> wanted_vlans(const Config& config) {
  std::vector<PortVlan> wanted;
  const uint16_t native = config.vlan != 0 ? config.vlan : kDefaultVlan;
  wanted.push_back({native, true, true});
  for (const uint16_t id : config.vlan_trunk.value_or(std::vector<uint16_t>())) {
    if (id != native) wanted.push_back({id, false, false});
  }
  std::sort(wanted.begin(), wanted.end());
  return wanted;
}

// Makes the port's VLANs what is wanted; keeps the others if `keep`.
Status set_vlans(net::Netlink& host, const net::Link& port, const std::vector<PortVlan>& wanted, bool keep) {
  CNIO_LET(std::vector<PortVlan> present, net::list_port_vlans(host, port));
  std::vector<PortVlan> missing;
  std::set_difference(wanted.begin(), wanted.end(), present.begin(), present.end(), std::back_inserter(missing));
  const auto is_wanted = [&](const PortVlan& vlan) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const PortVlan& each) { return each.id == vlan.id; });
  };
  std::erase_if(present, is_wanted);
  if (!keep) CNIO_TRY(net::remove_port_vlans(host, port, present));
  return net::add_port_vlans(host, port, missing);
}

std::string gateway_alias(const Config& config) { return "cnio gateway of " + config.gateway_interface(); }

// The port through which the bridge's VLAN reaches the gateway interface.
Result<net::Link> gateway_port(net::Netlink& host, const net::Link& gateway, const net::Link& bridge) {
  CNIO_LET(const std::optional<net::Link> port, net::find_link(host, gateway.peer));
  const bool paired = gateway.kind == "veth" && port && port->peer == gateway.index && !gateway.peer_namespace;
  if (paired && port->master == bridge.index) return *port;
  return Error::make(Code::kConflict,
                     "interface " + gateway.name + " exists and does not lead into bridge " + bridge.name)
      .hint("it takes the name of the network's gateway interface: remove or rename it");
}

// The port that we made stands without its bridge, if that was removed: the next one takes it.
Status take_back_gateway_port(net::Netlink& host, const net::Link& gateway, const net::Link& bridge,
                              const Config& config) {
  CNIO_LET(const std::optional<net::Link> port, net::find_link(host, gateway.peer));
  const bool lost = gateway.kind == "veth" && !gateway.peer_namespace && port && port->peer == gateway.index &&
                    port->master == net::IfIndex::kNone && port->alias == gateway_alias(config);
  return lost ? net::join_bridge(host, *port, bridge) : Status();
}

}  // namespace

Status configure_vlans(net::Netlink& host, const net::Link& port, const Config& config) {
  if (!config.filters_vlans()) return {};
  return set_vlans(host, port, wanted_vlans(config), config.preserve_default_vlan);
}

Status check_vlans(net::Netlink& host, const net::Link& port, const Config& config) {
  if (!config.filters_vlans()) return {};
  const std::vector<PortVlan> wanted = wanted_vlans(config);
  CNIO_LET(const std::vector<PortVlan> present, net::list_port_vlans(host, port));
  const bool as_wanted = config.preserve_default_vlan
                             ? std::includes(present.begin(), present.end(), wanted.begin(), wanted.end())
                             : present == wanted;
  if (as_wanted) return {};
  return Error::make(Code::kCheckFailed, "host end " + port.name + ": expected VLANs " + net::to_string(wanted) +
                                             ", found " + net::to_string(present));
}

Status check_gateway_vlan(net::Netlink& host, const net::Link& gateway, const net::Link& bridge, const Config& config) {
  if (config.vlan == 0) return {};
  const auto port = gateway_port(host, gateway, bridge);
  if (!port.ok()) return Error::make(Code::kCheckFailed, port.error().msg(), port.error().details());
  CNIO_LET(const std::vector<PortVlan> present, net::list_port_vlans(host, port.value()));
  // The reference leaves its port in the default VLAN, too.
  const PortVlan wanted{config.vlan, true, true};
  if (std::find(present.begin(), present.end(), wanted) != present.end()) return {};
  return Error::make(Code::kCheckFailed, "interface " + gateway.name + ": expected its port " + port.value().name +
                                             " in VLAN " + net::to_string({wanted}) + ", found " +
                                             net::to_string(present));
}

Result<net::Link> ensure_gateway_interface(net::Netlink& host, const net::Link& bridge, const Config& config) {
  if (config.vlan == 0) return bridge;
  const std::string name = config.gateway_interface();
  CNIO_LET(std::optional<net::Link> gateway, net::find_link(host, name));
  if (!gateway) {
    const Status created = net::create_veth(host, {.host_name = "veth" + sha512_hex(gateway_alias(config), 8),
                                                   .master = bridge.index,
                                                   .mtu = bridge.mtu,
                                                   .sandbox_name = name,
                                                   .sandbox_fd = -1,
                                                   .host_mac = MacAddr::random_high(),
                                                   .sandbox_mac = {}});
    CNIO_LET(gateway, net::find_link(host, name));
    // "Exists" is another ADD that was faster, unless there still is none.
    if (!gateway)
      return created.ok() ? Error::make(Code::kTryAgain, "interface " + name + " vanished") : created.error();
  }
  CNIO_TRY(take_back_gateway_port(host, *gateway, bridge, config));
  CNIO_LET(const net::Link port, gateway_port(host, *gateway, bridge));
  CNIO_TRY(set_vlans(host, port, {{config.vlan, true, true}}, false));
  if (port.alias.empty()) CNIO_TRY(net::configure_port(host, port, {.alias = gateway_alias(config)}));
  if (!port.up) CNIO_TRY(net::set_link_up(host, port));
  if (!gateway->up) {
    attachment::be_deaf_to_routers("bridge", *gateway);
    (void)net::write_sysctl(net::LinkSetting{Family::kIpv6, name, "accept_dad"}, "0");  // best effort, as for a bridge
    CNIO_TRY(net::set_link_up(host, *gateway));
  }
  return *gateway;
}

}  // namespace cnio::bridge
