// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

// What the kernel knows about neighbours on a link (ARP, IPv6 neighbour discovery), through RTM_*NEIGH messages:
// linux/neighbour.h, arp(7). Every function acts in the namespace of the socket that it is given.
namespace cnio::net {

struct Neighbour {
  std::optional<MacAddr> mac;  // nothing: being looked for, or not found
};

// The entry of the address; nothing if there is none.
Result<std::optional<Neighbour>> find_neighbour(Netlink& route, const Link& link, const IpAddr& address);

// Gives the entry of the address this MAC address, whatever it said, to be used at once and verified when it is used.
// False if there is no entry: none is made, since the table is small and the kernel fills it as needed.
Result<bool> replace_neighbour(Netlink& route, const Link& link, const IpAddr& address, const MacAddr& mac);

// An entry that is gone already is success.
Status remove_neighbour(Netlink& route, const Link& link, const IpAddr& address);

}  // namespace cnio::net
