// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::net {

// Makes the kernel forget the connections that these addresses have opened or answered, of all protocols and whatever
// their packets are translated to, in the calling thread's namespace: whoever gets an address next must inherit neither
// packets nor translations. No connection, or a kernel that tracks none, is success and costs next to nothing; a kernel
// module is loaded only where connections are tracked already. Addresses that packets were sent to, but that were
// translated to others on arrival, do not count. However many addresses and connections there are, the kernel's table
// is walked through once or, for one or two addresses, twice for each; and memory does not grow. Goes on past failures.
// `netfilter` is a socket of NETLINK_NETFILTER; if there is none yet, one is opened when it is needed. Error: code 100.
Status forget_connections(std::vector<IpAddr> addresses, Netlink* netfilter = nullptr);

// A port of this host: of one of its addresses, or of all that it has of the family, 127.0.0.0/8 among them.
struct HostPort {
  uint8_t protocol = 0;  // IPPROTO_*
  Family family = Family::kIpv4;
  std::optional<IpAddr> host;
  uint16_t port = 0;
};
// Makes the kernel forget the connections to these ports, whoever answers them: the port is somebody else's from now
// on. Connections through this host to the same port elsewhere are left alone. Otherwise as above.
Status forget_connections_to(const std::vector<HostPort>& ports, Netlink* netfilter = nullptr);

// Connections to a port of this host that were led to a pod, which answers them.
struct LedConnections {
  uint8_t protocol = 0;  // IPPROTO_*
  uint16_t host_port = 0;
  IpAddr pod;
  uint16_t pod_port = 0;
};
Status forget_led_connections(const std::vector<LedConnections>& led, Netlink* netfilter = nullptr);

}  // namespace cnio::net
