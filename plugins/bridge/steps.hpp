// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/attachment/driver.hpp"
#include "cnio/attachment/pair.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/firewall/spoof_check.hpp"
#include "cnio/net/address.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/link/veth.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/net/route.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/request.hpp"

#include "bridge/config.hpp"

// The steps of ADD and DEL: the bridge and its gateway addresses, the veth pair, the sandbox's end.
namespace cnio::bridge {

// ---- the bridge, shared by all attachments and therefore never undone

struct BridgeLink {
  net::Link link;
  bool created = false;
  bool mac_settled = false;  // its MAC address does not follow its ports
};

// The MTU of the default route's interface, for "mtu": "auto". Error: code 100 if there is none.
Result<uint32_t> default_route_mtu(net::Netlink& host);

// Would ensure_bridge refuse the link that has the bridge's name? Changes nothing. Error: code 103.
Status check_bridge_name(net::Netlink& host, const Config& config);

// Creates the bridge and marks it by an alias, or adopts the one that is there: sets it up and, if asked for,
// promiscuous; one without uplink believes no router advertisements from now on, and that of a gateway keeps its MAC
// address. Nothing else of it is changed. To be called before our port joins. Error: code 103 if the name belongs to a
// link that is no bridge, also as an alternative name; that link is left untouched. The undo of a creation removes the
// bridge if it has no port then. `mac` is a new one's.
Result<BridgeLink> ensure_bridge(net::Netlink& host, const Config& config, Rollback& undo,
                                 const std::optional<MacAddr>& mac = std::nullopt);

// Has it our mark, or will it have?
bool is_our_bridge(const net::Link& bridge);
// A bridge that is no pod's yet gets the MAC address that a pod, which is about to join it again, knows its gateway by.
Status give_back_mac(net::Netlink& host, const net::Link& bridge, const MacAddr& mac);
// Tells the bridge's pods its MAC address, if it is another than the one that they knew. Best effort.
void announce_gateway(net::Netlink& host, const net::Link& bridge, const MacAddr& known);
// What the bridge's MAC address is now stays; one that has none, since its last port left, gets one.
Status keep_mac(net::Netlink& host, const net::Link& bridge);

// Somebody removed the bridge during an ADD. Code 11: the next one makes it again.
Error lost_bridge(const std::string& name);
// Any step may fail then, for a reason that says nothing of it. Returns lost_bridge with that reason in the details if
// the bridge is gone, otherwise the error as it is.
Error explain_lost_bridge(net::Netlink& host, const net::Link& bridge, Error error);

// Error: code 100 if this kernel's bridges cannot filter VLANs though the configuration asks for it.
Status require_vlan_filtering(const Config& config);

// What has to change on the bridge so that it carries the gateway addresses.
struct GatewayPlan {
  std::vector<Cidr> add;
  std::vector<Cidr> remove;  // with forceAddress
};

// Compares the addresses of the gateway interface (the bridge, or its end of the VLAN, which need not be there yet)
// with the wanted ones. A conflict is another IPv4 address, or an IPv6 one of an overlapping network. Error: code 103
// naming both, unless `forceAddress`; also if another link of the host has one that collides with an address that is to
// be added (check_overlap). Code 100 if the interface cannot have an IPv6 address that it needs.
Result<GatewayPlan> plan_gateway(net::Netlink& host, const Config& config, const std::vector<Cidr>& wanted);

// Carries the plan out and switches forwarding on for the families of `wanted`; makes the end of the VLAN if need be.
// An address that another ADD has set in the meantime is fine.
Status configure_gateway(net::Netlink& host, const BridgeLink& bridge, const Config& config, const GatewayPlan& plan,
                         const std::vector<Cidr>& wanted);

// Of its IPv6 addresses those that the host needs for its pods: the gateways, and for what is forwarded the interface's
// own, from which it asks for them. The latter not of an adopted bridge, where the kernel may look for duplicates of it
// for a second or two; ours has it as soon as it carries frames.
Result<attachment::HostAddresses> own_addresses(net::Netlink& host, const BridgeLink& bridge, const Config& config,
                                                const std::vector<Cidr>& gateways);

// Removes the bridge, with its ends of VLANs, if it has no other port and ensure_bridge made it, for `deleteWhenEmpty`;
// another stays, with a note on standard error. Not while an ADD is about to join a port to a bridge: see join_bridge.
Status remove_bridge_if_empty(net::Netlink& host, const Config& config);

// ---- the network's subnets on this host

// Has another link of the host that is up, and in the same VRF or like ours in none, the very address of a gateway, or
// one of a network that is the gateway's or a part of it? Not a lone one (/32, /128) nor a link-local one. `gateway` is
// the interface that is to have the addresses, if it is there. Nothing is looked for with `allowOverlap`. Error:
// `code`, naming the link, its address and what to do.
Status check_overlap(net::Netlink& host, const Config& config, const std::optional<net::Link>& gateway,
                     const std::vector<Cidr>& wanted, Code code);
// The same for STATUS, of the subnets that the IPAM plugin's configuration names. Error: code 103.
Status check_subnets(net::Netlink& host, const protocol::Request& request, const Config& config);

// Both for STATUS, if the gateway interface has its addresses, as the IPAM plugin's configuration lets expect them.
// Otherwise the next ADD switches forwarding on. Error: code 51.
Status check_subnets_forwarded(net::Netlink& host, const protocol::Request& request, const Config& config);

// ---- VLANs

// Puts the port into the VLANs that `vlan` and `vlanTrunk` ask for, if they do.
Status configure_vlans(net::Netlink& host, const net::Link& port, const Config& config);
// Error: code 104.
Status check_vlans(net::Netlink& host, const net::Link& port, const Config& config);

// The interface that bears the gateway addresses: the bridge, or with `vlan` one end of a veth pair on the host, called
// <bridge>.<vlan>, whose other end is a port in that VLAN. Shared by all attachments, like the bridge. Error: code 103
// if the name belongs to something else.
Result<net::Link> ensure_gateway_interface(net::Netlink& host, const net::Link& bridge, const Config& config);
// Does it lead into the bridge's VLAN, if it has to? Error: code 104.
Status check_gateway_vlan(net::Netlink& host, const net::Link& gateway, const net::Link& bridge, const Config& config);

// ---- the port

// Of a host end that stands, of a pod that lives: the bridge's port again, with all that it has to be before the first
// frame passes. It may be in another bridge, or in none.
Status rejoin_bridge(net::Netlink& host, const protocol::Request& request, const Config& config,
                     const attachment::Veth& veth, const net::Link& bridge);

// Marks the host end as the attachment's, and makes of it the port that the configuration asks for.
Status configure_attachment(net::Netlink& host, const protocol::Request& request, const Config& config,
                            const attachment::Veth& veth);

// What `macspoofchk` asks for: installed by ADD, looked for by CHECK.
firewall::SpoofCheckSpec spoof_check_of(const protocol::Request& request, const net::Link& host_end,
                                        const net::Link& sandbox_end);

}  // namespace cnio::bridge
