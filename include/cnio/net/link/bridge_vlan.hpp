// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

// VLANs of a bridge's ports: linux/if_bridge.h. Needs a kernel with bridge VLAN filtering.
namespace cnio::net {

// One VLAN that a port belongs to.
struct PortVlan {
  uint16_t id = 0;        // 1 to 4094
  bool native = false;    // frames that arrive without tag belong to it (PVID); one of a port at most
  bool untagged = false;  // frames leave without tag

  auto operator<=>(const PortVlan&) const = default;
};

// "100 native untagged, 200-203": for messages. `vlans` in ascending order.
std::string to_string(const std::vector<PortVlan>& vlans);

// In ascending order. Of a port that is gone: none.
Result<std::vector<PortVlan>> list_port_vlans(Netlink& route, const Link& port);
// An id that the port has takes the new flags; a new native one takes the place of the old.
Status add_port_vlans(Netlink& route, const Link& port, const std::vector<PortVlan>& vlans);
Status remove_port_vlans(Netlink& route, const Link& port, const std::vector<PortVlan>& vlans);

}  // namespace cnio::net
