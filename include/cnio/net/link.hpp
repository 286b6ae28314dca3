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

  [[nodiscard]] bool believes_routers() const { return accept_ra == 2 || (accept_ra == 1 && !forwards); }
};

struct Link {
  IfIndex index = IfIndex::kNone;
  std::string name;
  std::string kind;  // "bridge", "veth"; empty for hardware and loopback
  std::optional<MacAddr> mac;
  uint32_t mtu = 0;
  bool up = false;           // IFF_UP: set up by the administrator
  bool operational = false;  // IF_OPER_UP: can pass frames
  bool promiscuous = false;  // IFF_PROMISC as an administrator sets it; a packet capture does not count
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
  std::optional<Ipv6Settings> ipv6;   // nothing: no IPv6, in the kernel or on a link with so small an MTU
};

// No link of that name (or index, or index none): nothing.
Result<std::optional<Link>> find_link(Netlink& route, const std::string& name);
Result<std::optional<Link>> find_link(Netlink& route, IfIndex index);
// The link that keeps others from using `name`: it has it as its name, or as one of its alternative names.
Result<std::optional<Link>> find_name_owner(Netlink& route, const std::string& name);
// All links, or those enslaved to `master`.
Result<std::vector<Link>> list_links(Netlink& route, IfIndex master = IfIndex::kNone);

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

struct VethSpec {
  std::string host_name;
  IfIndex master = IfIndex::kNone;  // the bridge that the host end joins
  uint32_t mtu = 0;                 // of both ends; 0: the kernel's choice
  std::string sandbox_name;
  int sandbox_fd = -1;  // borrowed; -1: the other end stays in the socket's namespace, too
  // Nothing: the kernel's choice, which udev may replace by its own. One that is given at creation it leaves alone
  // (NET_ADDR_SET; systemd.link(5), MACAddressPolicy). See MacAddr::random_high.
  std::optional<MacAddr> host_mac{};
  std::optional<MacAddr> sandbox_mac;
};
// Creates a veth pair in one message: the host end in the socket's namespace and in its bridge, the other in the
// sandbox, both down. Nothing exists if it fails; errno EEXIST if one of the names is taken, EXFULL if the bridge has
// all the ports that it can have.
//
// The host end should be set up after the other: then its carrier is there from the start. An interface that is up and
// has none makes the kernel say so to all that listens, which with a thousand ports takes more than a millisecond, and
// wait for a grace period before, both while it keeps everybody else from its links (linkwatch_do_dev).
Status create_veth(Netlink& route, const VethSpec& spec);

Status set_link_up(Netlink& route, const Link& link);
Status set_link_down(Netlink& route, const Link& link);
// Has the link's IPv4 addresses announced when its MAC address is set, or it is set up (arp_notify:
// Documentation/networking/ip-sysctl).
Status set_arp_notify(Netlink& route, const Link& link);
Status set_promiscuous(Netlink& route, const Link& link);
Status set_mac(Netlink& route, const Link& link, const MacAddr& mac);
// Was the MAC address set by somebody, so that a bridge does not take another from its ports (addr_assign_type)?
// Nothing if that cannot be told: it is shown in sysfs alone, which need not be that of the socket's namespace.
std::optional<bool> has_fixed_mac(const Link& link);
// And, if one is given, the group, in the same message.
Status set_alias(Netlink& route, const Link& link, const std::string& alias, std::optional<uint32_t> group = {});

// A port needs no IPv6 address of its own: what it receives is the bridge's. So the kernel is asked to make none
// (IFLA_INET6_ADDR_GEN_MODE); with it come routes that the host's look-ups would go through, one for each port.
struct PortSpec {
  std::string alias;      // marks whose it is
  bool hairpin = false;   // the port sends frames back where they came from
  bool isolated = false;  // no frames between this and other isolated ports
};
Status configure_port(Netlink& route, const Link& link, const PortSpec& spec);

// Can the kernel make links of this kind ("bridge", "veth")? A module is loaded if there is one; nothing is created.
Result<bool> can_create(Netlink& route, const std::string& kind);

// Removes a link; a link that is gone already is success.
Status remove_link(Netlink& route, const Link& link);

// Removes a veth pair whose one end is `sandbox_end`, and returns as soon as both ends are gone: nothing can use their
// names, addresses or places in a bridge any more. The kernel says so after less than a millisecond, and acknowledges
// after a grace period of about 20, in which it waits for processors that may still look at what it is about to free;
// a Caretaker waits for that. It also keeps `slow`, sockets whose closing would wait for such a period, too; until
// after the last of the `crowd`, if there is one. Should we die meanwhile, it removes the link of this index, which the
// sandbox does not give to another one.
//
// Why that is safe: the kernel closes both ends, takes them out of its lists and notifies of the end that it was asked
// for, then of the other, all under its one lock for links (RTNL). So `host_end`'s notification is the last, and
// whatever anybody asks of links after it finds neither end. What the acknowledgement waits for, outside that lock,
// cannot fail and has no effect but memory that becomes free. If the kernel refuses, or is not heard, the removal is
// done again, to its acknowledgement. REQUIRES: `sandbox` is not used afterwards. A pair that is gone already is
// success.
Status remove_pair(Netlink& host, const Link& host_end, Netlink& sandbox, const Link& sandbox_end,
                   const std::vector<int>& slow = {}, const Crowd* crowd = nullptr);

// Hears link notifications from its opening on, so that no change between a look and a wait is missed.
class LinkEvents {
 public:
  static Result<LinkEvents> open();
  // Waits until the link is operationally up. Error: code 11, naming the link and how long was waited.
  Status wait_operational(Netlink& route, const Link& link, int timeout_ms);
  // Waits for the notification that the link is gone. False if it has not come within this time, may have been lost, or
  // the other side of the pipe `end` was closed before it.
  Result<bool> hear_of_removal(const Link& link, int timeout_ms, int end);

 private:
  explicit LinkEvents(Netlink events) : events_(std::move(events)) {}
  Netlink events_;
};

}  // namespace cnio::net
