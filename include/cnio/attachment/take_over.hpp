// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/sandbox.hpp"

// Addresses that had another owner before, or will have one. The host has its neighbours on the network at `gateway`:
// the bridge, its end of a VLAN, the host end of a pair.
namespace cnio::attachment {

// Makes everybody who remembers an earlier owner of the addresses find this one at once: the neighbours on the network
// by announcements, the host by its own table. If that had an entry, the earlier owner's connections, too, may have
// been left behind; they are forgotten. Nothing for `gateway`: the host can know nobody there. The pod works without
// all this, if later. It is the kernel that announces: an ARP announcement (RFC 5227, section 3) for each IPv4 address,
// an unsolicited neighbour advertisement that overrides what is known (RFC 4861, section 7.2.6) for each IPv6 address,
// when the interface's MAC address is set, be it to what it is (arp_notify, ndisc_notify:
// Documentation/networking/ip-sysctl). A packet socket of our own would need CAP_NET_RAW, and its closing waits for
// milliseconds, for a grace period.
Status take_over_addresses(net::Netlink& host, const std::optional<net::Link>& gateway, net::Sandbox& sandbox,
                           const net::Link& sandbox_end, const std::vector<IpAddr>& addresses);

// The host's own table alone: its entries for the addresses, if there are any, get this MAC address. Were there any?
Result<bool> replace_neighbours(net::Netlink& host, const net::Link& gateway, const MacAddr& mac,
                                const std::vector<IpAddr>& addresses);

// Has the kernel announce these addresses when `change` gives another MAC address to the interface, also behind plugins
// that do not leave it set to do so. Best effort, but for `change` itself.
Status announced(net::Sandbox& sandbox, const net::Link& sandbox_end, const std::vector<IpAddr>& addresses,
                 const std::function<Status()>& change);

// Removes what the host remembers of the attachment whose MAC address is `mac`: neighbours and connections. An address
// that the host knows under another MAC address belongs to somebody else by now and is left alone, with all its
// connections: the host translates none without sending to it. `netfilter`: see forget_connections. Goes on past
// failures.
Status forget_addresses(net::Netlink& host, net::Netlink* netfilter, const std::optional<net::Link>& gateway,
                        std::vector<IpAddr> addresses, const std::optional<MacAddr>& mac);

}  // namespace cnio::attachment
