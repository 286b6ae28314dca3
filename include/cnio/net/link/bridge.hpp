// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::net {

struct BridgeSpec {
  std::string name;
  uint32_t mtu = 0;  // 0: the kernel's choice
  MacAddr mac;       // given at creation, so that it does not follow the ports'
  bool vlan_filtering = false;
  uint32_t group = 0;  // unlike an alias, given at creation
};
// Creates a bridge that is up, with STP off. True if created, false if a link of that name exists already. Error: errno
// EOPNOTSUPP if the kernel has no bridges, or cannot filter VLANs.
Result<bool> create_bridge(Netlink& route, const BridgeSpec& spec);

// A port needs no IPv6 address of its own: what it receives is the bridge's. So the kernel is asked to make none
// (IFLA_INET6_ADDR_GEN_MODE); with it come routes that the host's look-ups would go through, one for each port.
struct PortSpec {
  std::string alias;      // marks whose it is
  bool hairpin = false;   // the port sends frames back where they came from
  bool isolated = false;  // no frames between this and other isolated ports
};
// Takes it out of another bridge, if it is in one.
Status join_bridge(Netlink& route, const Link& link, const Link& bridge);
// Takes it out of whatever it is a port of.
Status leave_master(Netlink& route, const Link& link);
Status configure_port(Netlink& route, const Link& link, const PortSpec& spec);

}  // namespace cnio::net
