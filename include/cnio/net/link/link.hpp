// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/caretaker.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/netlink.hpp"

// Links (network interfaces) through RTM_*LINK messages: linux/if_link.h, rtnetlink(7). Every function acts in the
// namespace of the socket that it is given.
namespace cnio::net {

enum class IfIndex : int { kNone = 0 };

// RFC 8200, section 5: a link with a smaller MTU has no IPv6.
inline constexpr uint32_t kMinIpv6Mtu = 1280;

// Documentation/networking/ip-sysctl
struct Ipv6Settings {
  int accept_ra = 0;  // 0: no router advertisement is believed; 1: none while the interface forwards; 2: each one
  bool forwards = false;
  bool disabled = false;
  bool announces = false;  // ndisc_notify: neighbours are told of a new MAC address

  [[nodiscard]] bool believes_routers() const { return accept_ra == 2 || (accept_ra == 1 && !forwards); }
};

struct Link {
  IfIndex index = IfIndex::kNone;
  std::string name;
  std::string kind;  // "bridge", "veth"; empty for hardware and loopback
  std::optional<MacAddr> mac;
  uint32_t mtu = 0;
  bool up = false;             // IFF_UP: set up by the administrator
  bool operational = false;    // IF_OPER_UP: can pass frames
  bool carrier = false;        // IFF_LOWER_UP: somebody is at the other end, or it is of a kind that knows of none
  bool promiscuous = false;    // IFF_PROMISC as an administrator sets it; a packet capture does not count
  bool all_multicast = false;  // IFF_ALLMULTI, likewise
  uint32_t tx_queue = 0;       // IFLA_TXQLEN, in packets
  uint32_t min_mtu = 0;        // IFLA_MIN_MTU, which it can be given
  uint32_t max_mtu = 0;        // IFLA_MAX_MTU; 0: no limit is known
  IfIndex master = IfIndex::kNone;
  IfIndex peer = IfIndex::kNone;      // IFLA_LINK: a veth's other end, by its index in its own namespace
  std::optional<int> peer_namespace;  // IFLA_LINK_NETNSID: the id of that namespace, if it is another one
  std::string alias;                  // IFLA_IFALIAS
  uint32_t group = 0;                 // IFLA_GROUP: where nobody has chosen one, 0
  std::optional<bool> hairpin;        // of a bridge port
  std::optional<bool> isolated;       // of a bridge port
  bool vlan_filtering = false;        // of a bridge
  uint32_t vrf_table = 0;             // of a VRF
  bool forwards_ipv4 = false;         // packets that come in here may go out elsewhere
  bool announces_ipv4 = false;        // arp_notify: neighbours are told of a new MAC address
  std::optional<Ipv6Settings> ipv6;   // nothing: no IPv6, in the kernel or on a link with so small an MTU
};

// No link of that name (or index, or index none): nothing.
Result<std::optional<Link>> find_link(Netlink& route, const std::string& name);
Result<std::optional<Link>> find_link(Netlink& route, IfIndex index);
// The link as it is now, for whoever waits for a change of it. Error: code 11 if it has been removed.
Result<Link> read_again(Netlink& route, const Link& link);
// The link that keeps others from using `name`: it has it as its name, or as one of its alternative names.
Result<std::optional<Link>> find_name_owner(Netlink& route, const std::string& name);
// All links, or those enslaved to `master`.
Result<std::vector<Link>> list_links(Netlink& route, IfIndex master = IfIndex::kNone);

Status set_link_up(Netlink& route, const Link& link);
Status set_link_down(Netlink& route, const Link& link);
// Has the link's IPv4 addresses announced, or not, when its MAC address is set, or it is set up (arp_notify:
// Documentation/networking/ip-sysctl).
Status set_arp_notify(Netlink& route, const Link& link, bool on = true);
Status set_promiscuous(Netlink& route, const Link& link);
Status set_mac(Netlink& route, const Link& link, const MacAddr& mac);

// What an administrator sets of a link; what is not given stays as it is.
struct LinkChange {
  std::optional<MacAddr> mac = {};
  std::optional<uint32_t> mtu = {};
  std::optional<bool> promiscuous = {};
  std::optional<bool> all_multicast = {};
  std::optional<uint32_t> tx_queue = {};  // in packets

  bool operator==(const LinkChange&) const = default;
  [[nodiscard]] bool empty() const { return *this == LinkChange(); }
};
// What the link has now of what `wanted` sets.
LinkChange present(const Link& link, const LinkChange& wanted);
// What `wanted` sets to something else than `now` has.
LinkChange differing(const LinkChange& wanted, const LinkChange& now);
// "mtu 1400, promisc on": empty for one that is.
std::string to_string(const LinkChange& change);
// In one message. The kernel sets one after the other, in the order that they have above, and stops at what it refuses:
// what comes before that is set.
Status change_link(Netlink& route, const Link& link, const LinkChange& wanted);
// Was the MAC address set by somebody, so that a bridge does not take another from its ports (addr_assign_type)?
// Nothing if that cannot be told: it is shown in sysfs alone, which need not be that of the socket's namespace.
std::optional<bool> has_fixed_mac(const Link& link);
// The kernel makes no IPv6 address for it by itself once it is up. Where the link has no IPv6, nothing is asked for.
Status set_no_ipv6_address(Netlink& route, const Link& link);
// And, if one is given, the group, in the same message.
Status set_alias(Netlink& route, const Link& link, const std::string& alias, std::optional<uint32_t> group = {});

// Can the kernel make links of this kind ("bridge", "veth")? A module is loaded if there is one; nothing is created.
Result<bool> can_create(Netlink& route, const std::string& kind);

// Removes a link; a link that is gone already is success.
Status remove_link(Netlink& route, const Link& link);
// The same, but returns as soon as it is gone, and leaves the wait for the acknowledgement to a process that stays
// behind for some milliseconds: see remove_pair (veth.hpp). REQUIRES: the socket's namespace is the calling thread's.
Status remove_link_swiftly(Netlink& route, const Link& link);

}  // namespace cnio::net
