// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cnio/base/error_list.hpp"
#include "cnio/net/conntrack.hpp"
#include "cnio/net/neighbour.hpp"
#include "cnio/protocol/plugin.hpp"

#include "bridge/addressing.hpp"
#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using protocol::AddResult;

// Where the host has its neighbours on this network.
Result<std::optional<net::Link>> find_gateway(net::Netlink& host, const Config& config) {
  return net::find_link(host, config.gateway_interface());
}

// Were any of them in the host's table?
Result<bool> replace_neighbours(net::Netlink& host, const Config& config, const BridgeLink& bridge, const MacAddr& mac,
                                const std::vector<IpAddr>& addresses) {
  std::optional<net::Link> gateway = bridge.link;
  if (config.vlan != 0) {
    CNIO_LET(gateway, find_gateway(host, config));
  }
  if (!gateway) return false;
  bool known = false;
  for (const IpAddr& address : addresses) {
    CNIO_LET(const bool replaced, net::replace_neighbour(host, *gateway, address, mac));
    known = known || replaced;
  }
  return known;
}

Status correct_host(net::Netlink& host, const Config& config, const BridgeLink& bridge, const MacAddr& mac,
                    const std::vector<IpAddr>& addresses) {
  if (bridge.created) return {};  // a new bridge knows nobody
  CNIO_LET(const bool known, replace_neighbours(host, config, bridge, mac, addresses));
  return known ? net::forget_connections(addresses) : Status();
}

// Removes the address from the host's table. False if it is somebody else's.
Result<bool> forget_neighbour(net::Netlink& host, const net::Link& gateway, const IpAddr& address,
                              const std::optional<MacAddr>& mac) {
  CNIO_LET(const std::optional<net::Neighbour> entry, net::find_neighbour(host, gateway, address));
  if (!entry) return true;
  if (entry->mac && entry->mac != mac) return false;
  CNIO_TRY(net::remove_neighbour(host, gateway, address));
  return true;
}

}  // namespace

void take_over_addresses(net::Netlink& host, const Config& config, const BridgeLink& bridge, net::Sandbox& sandbox,
                         const net::Link& sandbox_end, const AddResult& result) {
  if (!sandbox_end.mac) return;
  ErrorList errors;
  errors.collect(correct_host(host, config, bridge, *sandbox_end.mac, addresses_of(result)));
  errors.collect(net::set_mac(sandbox.route(), sandbox_end, *sandbox_end.mac));
  if (errors.empty()) return;
  protocol::note("bridge", "an address that another pod had before may be unreachable for some seconds: " +
                               errors.status().error().msg());
}

Status forget_addresses(net::Netlink& host, net::Netlink* netfilter, const Config& config,
                        std::vector<IpAddr> addresses, const std::optional<MacAddr>& mac) {
  // Others follow from the MAC address, and are never given to anybody else.
  std::erase_if(addresses, [](const IpAddr& address) { return address.is_link_local_unicast(); });
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  if (addresses.empty()) return {};
  CNIO_LET(const std::optional<net::Link> gateway, find_gateway(host, config));
  ErrorList errors;
  std::vector<IpAddr> ours;
  for (const IpAddr& address : addresses) {
    const Result<bool> forgotten = gateway ? forget_neighbour(host, *gateway, address, mac) : Result<bool>(true);
    if (!forgotten.ok()) errors.collect(forgotten.error());
    if (forgotten.ok() && forgotten.value()) ours.push_back(address);
  }
  errors.collect(net::forget_connections(ours, netfilter));
  return errors.status();
}

}  // namespace cnio::bridge
