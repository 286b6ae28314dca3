// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cnio/ipam/subnet_file.hpp"
#include "cnio/net/netlink.hpp"

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// What carries pods' packets to other nodes, and takes room of each.
enum class Overlay { kNone, kVxlan, kWireguard };
std::optional<Overlay> overlay_of(const std::string& text);

struct Wire {
  Overlay overlay = Overlay::kNone;
  std::string uplink;  // the interface to the other nodes; empty: that of the default route
};

// The MTU of pods on this node. Errors: code 103 if there is no such interface, or no default route.
Result<uint32_t> pod_mtu(net::Netlink& host, const Wire& wire);

// Would this node carry these subnets' pods? Changes nothing. Kinds: overlap (an address of the node's own, or a route
// that leads elsewhere, lies in a subnet), cluster (one lies in the cluster's range), forward-drop, no-forwarding,
// rp-filter, mtu, bridge-nf, iptables-legacy.
Report look_at_node(net::Netlink& host, const ipam::NodeSubnets& subnets, const std::string& bridge, const Wire& wire);

}  // namespace cnio::cnioctl
