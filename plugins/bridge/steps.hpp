// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/attachment/record.hpp"
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
// bridge if it has no port then.
Result<BridgeLink> ensure_bridge(net::Netlink& host, const Config& config, Rollback& undo);

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

// Can the link have IPv6 addresses and routes? `purpose` ("the address fd01::1/64") tells what for. Error: code 100.
Status require_ipv6(const net::Link& link, const Config& config, const std::string& purpose);

// Removes the bridge, with its ends of VLANs, if it has no other port and ensure_bridge made it, for `deleteWhenEmpty`;
// another stays, with a note on standard error. Not while an ADD is about to join a port to a bridge: see join_bridge.
Status remove_bridge_if_empty(net::Netlink& host, const Config& config);

// ---- whose router advertisements the host believes

// From now on none that come in by this link. A failure is a note on standard error.
void be_deaf_to_routers(const net::Link& link);
// Can there be a router behind the link? Not behind a pod's or a virtual machine's, nor a bridge that has only such.
Result<bool> may_believe_routers(net::Netlink& host, const net::Link& link, const Config& config);
// An adopted bridge believes routers, like each interface, unless somebody has told it not to: it may go on if it has
// an uplink, which may lead to some.
Status judge_routers(net::Netlink& host, const net::Link& bridge, const Config& config);

// ---- the network's subnets on this host

// Has another link of the host that is up, and in the same VRF or like ours in none, the very address of a gateway, or
// one of a network that is the gateway's or a part of it? Not a lone one (/32, /128) nor a link-local one. `gateway` is
// the interface that is to have the addresses, if it is there. Nothing is looked for with `allowOverlap`. Error:
// `code`, naming the link, its address and what to do.
Status check_overlap(net::Netlink& host, const Config& config, const std::optional<net::Link>& gateway,
                     const std::vector<Cidr>& wanted, Code code);
// The same for STATUS, of the subnets that the IPAM plugin's configuration names. Error: code 103.
Status check_subnets(net::Netlink& host, const protocol::Request& request, const Config& config);

// Does the host forward what pods send by this interface, for the families of the addresses? Error: `code`, naming the
// setting.
Status check_forwarding(net::Netlink& host, const net::Link& gateway, const std::vector<Cidr>& addresses, Code code);
// Does no chain of a firewall drop all of it? Of these sources: see firewall::ForwardSpec. Error: `code`, naming the
// chain.
Status check_forward_chains(net::Netlink& host, const net::Link& gateway, const std::vector<Cidr>& sources, Code code);
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
// Is it the other end of such an interface?
bool is_gateway_port(const net::Link& port, const std::string& bridge);

// ---- the veth pair of one attachment

inline constexpr unsigned kNameAttempts = 3;  // 32 bits each: one more than ever needed, and DEL looks for all
inline constexpr size_t kNameDigits = 8;
inline constexpr size_t kMaxAlias = 255;  // IFALIASZ, without the terminating NUL
inline constexpr size_t kAliasDigits = 16;
inline constexpr std::string_view kAliasMark = "cnio ";  // how each of ours begins

// `prefix` ("veth") and 8 hex digits that follow from the attachment, so that people and DEL find it; `attempt` gives
// others if that name is taken.
std::string host_end_name(const std::string& network, const protocol::Attachment& attachment, const std::string& prefix,
                          unsigned attempt = 0);
// What `ip link` shows as alias of the host end: whose it is, for people and for whoever has no record. At most 255
// bytes; one that would fill that ends in "#" and a hash of it all. It begins with the mark of its network, unless that
// fills it alone.
std::string host_end_alias(const std::string& network, const protocol::Attachment& attachment);
std::string mark_of(const std::string& network);
// The network of which an alias says that it is the attachment's; nothing if it does not say that.
std::optional<std::string> network_in_alias(const std::string& alias, const protocol::Attachment& attachment);

struct Veth {
  net::Link host_end;
  net::Link sandbox_end;  // as we made it
};

// Error: code 103 if the sandbox has an interface of that name already, or one with it as an alternative name.
Status check_name_is_free(net::Sandbox& sandbox, const protocol::Request& request);

// Creates the pair, with the host end in its bridge, both down, and the MAC addresses of `pair`, once that has been
// written into the record; completes it by name and number. Registers its removal.
Result<Veth> create_attachment_veth(net::Netlink& host, net::Sandbox& sandbox, const protocol::Request& request,
                                    const Config& config, const net::Link& bridge, attachment::RecordedPair& pair,
                                    std::optional<attachment::AttachmentRecord>& record, Rollback& undo);

// Marks the host end as the attachment's, and makes of it the port that the configuration asks for.
Status configure_attachment(net::Netlink& host, const protocol::Request& request, const Config& config,
                            const Veth& veth);

// Is it the host end of a recorded pair? By its number, which a host gives once; of an ADD that was killed before it
// could write that down, by its name. And it has the MAC address that we drew for it, or else the name, the alias or
// the other end that we gave it.
bool is_recorded_end(const net::Link& link, const attachment::RecordedPair& pair);
// That end, if it is still there.
Result<std::optional<net::Link>> find_recorded_end(net::Netlink& host, const attachment::RecordedPair& pair);

// The host ends that the attachment has besides `own`, of which the name may be missing: of an earlier life, when its
// container was started again in another namespace, and something keeps the former one alive; or of its life now, if
// `own` should not be.
Result<std::vector<net::Link>> find_former_ends(net::Netlink& host, const Config& config,
                                                const std::vector<attachment::RecordedPair>& pairs,
                                                const attachment::RecordedPair& own);

// Has it any? For an ADD that has failed: looks at all links of the host, too.
Result<bool> has_other_end(net::Netlink& host, const Config& config, const std::vector<attachment::RecordedPair>& pairs,
                           const attachment::RecordedPair& own);

// What `macspoofchk` asks for: installed by ADD, looked for by CHECK.
firewall::SpoofCheckSpec spoof_check_of(const protocol::Request& request, const net::Link& host_end,
                                        const net::Link& sandbox_end);

// Waits until both ends can pass frames: the host end as a port of the bridge, and the other, which drops what it is to
// send until the kernel has seen its carrier. Error: code 11 after kPortTimeoutMs.
inline constexpr int kPortTimeoutMs = 10'000;
Status wait_for_pair(net::Netlink& host, net::Sandbox& sandbox, const Veth& veth);

// What is left of an attachment, for DEL. From the record, if there is one: then nothing that the sandbox says matters.
// Else by the sandbox's interface if that was made for this network, or by the host end's name and alias.
struct Leftover {
  struct Owned {
    std::vector<IpAddr> addresses;
    std::optional<MacAddr> mac;  // of the interface that had them
  };
  std::vector<net::Link> host_ends;
  std::vector<Owned> owned;  // as recorded, or else as prevResult tells
  bool recorded = false;
  std::string foreign;  // why the sandbox's interface is left alone
  // Without a record: the network to which that interface belongs according to its alias.
  std::optional<std::string> former_network;
};
Result<Leftover> find_leftover(net::Netlink& host, std::optional<net::Sandbox>& sandbox,
                               const protocol::Request& request, const Config& config,
                               const std::vector<attachment::RecordedPair>& pairs,
                               const std::optional<protocol::AddResult>& prev_result);

// Removes the links of this network's attachments that are not valid, for GC, wherever they are: those that are
// recorded, and those with its mark. Goes on past failures and reports all. Error: code 103 if there are links that may
// be of an attachment that is not valid, but do not say so; then no address may be released.
Status remove_stale_links(net::Netlink& host, uint64_t host_number, const Config& config, const std::string& network,
                          const std::vector<protocol::Attachment>& valid);

// ---- the sandbox's side

// Does the kernel look for duplicates of the link's IPv6 addresses? To be called inside the sandbox, before the link is
// up: from then on its link-local address is looked for, and cannot be used for a second or two.
void prepare_duplicate_detection(const net::Link& link, const Config& config);

// Addresses, up, then the host end up (in this order: see net::create_veth), duplicate address detection if asked for,
// routes. Both ends may be up already, for an IPAM plugin that uses the link.
inline constexpr int kDuplicateDetectionTimeoutMs = 10'000;
Status configure_sandbox_end(net::Netlink& host, net::Sandbox& sandbox, const Veth& veth, const Config& config,
                             const protocol::AddResult& result, const std::vector<net::RouteSpec>& routes);

// ---- addresses that had another owner before, or will have one

// Makes everybody who remembers an earlier owner of the addresses find this one at once: the neighbours on the bridge
// by announcements, the host by its own table. If that had an entry, the earlier owner's connections, too, may have
// been left behind; they are forgotten. The pod works without all this, if later: a failure is a note on standard
// error.
// It is the kernel that announces: an ARP announcement (RFC 5227, section 3) for each IPv4 address, an unsolicited
// neighbour advertisement that overrides what is known (RFC 4861, section 7.2.6) for each IPv6 address, when the
// interface's MAC address is set, be it to what it is (arp_notify, ndisc_notify: Documentation/networking/ip-sysctl).
// A packet socket of our own would need CAP_NET_RAW, and its closing waits for milliseconds, for a grace period.
void take_over_addresses(net::Netlink& host, const Config& config, const BridgeLink& bridge, net::Sandbox& sandbox,
                         const net::Link& sandbox_end, const protocol::AddResult& result);

// Removes what the host remembers of the attachment whose MAC address is `mac`: neighbours and connections. An address
// that the host knows under another MAC address belongs to somebody else by now and is left alone, with all its
// connections: the host translates none without sending to it. `netfilter`: see forget_connections. Goes on past
// failures.
Status forget_addresses(net::Netlink& host, net::Netlink* netfilter, const Config& config,
                        std::vector<IpAddr> addresses, const std::optional<MacAddr>& mac);

}  // namespace cnio::bridge
