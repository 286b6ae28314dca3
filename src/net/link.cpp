// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link.hpp"

#include <cerrno>
#include <cstring>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>

#include "cnio/base/caretaker.hpp"
#include "cnio/base/unique_fd.hpp"

#include "nl_ptr.hpp"

namespace cnio::net {
namespace {

int raw(IfIndex index) { return static_cast<int>(index); }

// A request about one link, by index or, if that is none, by name.
MsgPtr link_message(int type, int flags, const ifinfomsg& info) {
  MsgPtr message(checked(nlmsg_alloc_simple(type, flags)));
  must(nlmsg_append(message.get(), const_cast<ifinfomsg*>(&info), sizeof info, NLMSG_ALIGNTO));
  return message;
}

void put_text(nl_msg* message, int attribute, const std::string& text) {
  must(nla_put_string(message, attribute, text.c_str()));
}

void put_alias(nl_msg* message, const std::string& alias) {
  // Without its NUL, which counts for the limit of 255 bytes.
  must(nla_put(message, IFLA_IFALIAS, static_cast<int>(alias.size()), alias.data()));
}

// Attributes of a message as a table by type; kMax is the highest one that is read.
template <int kMax>
struct Attributes {
  nlattr* at[kMax + 1] = {};

  bool parse(nlmsghdr& header, size_t fixed) {
    return nlmsg_parse(&header, static_cast<int>(fixed), at, kMax, nullptr) >= 0;
  }
  bool parse_nested(nlattr* parent) { return nla_parse_nested(at, kMax, parent, nullptr) >= 0; }
};

void parse_kind(nlattr* linkinfo, Link& link) {
  Attributes<IFLA_INFO_SLAVE_DATA> info;
  if (!info.parse_nested(linkinfo)) return;
  if (info.at[IFLA_INFO_KIND] != nullptr) link.kind = text_of(info.at[IFLA_INFO_KIND]);
  if (link.kind == "vrf" && info.at[IFLA_INFO_DATA] != nullptr) {
    Attributes<IFLA_VRF_TABLE> vrf;
    if (vrf.parse_nested(info.at[IFLA_INFO_DATA]) && vrf.at[IFLA_VRF_TABLE] != nullptr) {
      link.vrf_table = value_of<uint32_t>(vrf.at[IFLA_VRF_TABLE]);
    }
  }
  if (link.kind == "bridge" && info.at[IFLA_INFO_DATA] != nullptr) {
    Attributes<IFLA_BR_VLAN_FILTERING> bridge;
    if (bridge.parse_nested(info.at[IFLA_INFO_DATA]) && bridge.at[IFLA_BR_VLAN_FILTERING] != nullptr) {
      link.vlan_filtering = value_of<uint8_t>(bridge.at[IFLA_BR_VLAN_FILTERING]) != 0;
    }
  }
  if (info.at[IFLA_INFO_SLAVE_KIND] == nullptr || text_of(info.at[IFLA_INFO_SLAVE_KIND]) != "bridge" ||
      info.at[IFLA_INFO_SLAVE_DATA] == nullptr) {
    return;
  }
  Attributes<IFLA_BRPORT_ISOLATED> port;
  if (!port.parse_nested(info.at[IFLA_INFO_SLAVE_DATA])) return;
  if (port.at[IFLA_BRPORT_MODE] != nullptr) link.hairpin = value_of<uint8_t>(port.at[IFLA_BRPORT_MODE]) != 0;
  if (port.at[IFLA_BRPORT_ISOLATED] != nullptr) link.isolated = value_of<uint8_t>(port.at[IFLA_BRPORT_ISOLATED]) != 0;
}

// One of the kernel's tables of an interface's settings, 32 bits each; 0 if it is too short to have it.
int setting(const nlattr* table, size_t number) {
  int value = 0;
  if (nla_len(table) >= static_cast<int>((number + 1) * sizeof value)) {
    std::memcpy(&value, static_cast<const char*>(nla_data(table)) + number * sizeof value, sizeof value);
  }
  return value;
}

void parse_settings(nlattr* families, Link& link) {
  Attributes<AF_INET6> family;
  if (!family.parse_nested(families)) return;
  Attributes<IFLA_INET_CONF> ipv4;
  if (family.at[AF_INET] != nullptr && ipv4.parse_nested(family.at[AF_INET]) && ipv4.at[IFLA_INET_CONF] != nullptr) {
    link.forwards_ipv4 = setting(ipv4.at[IFLA_INET_CONF], IPV4_DEVCONF_FORWARDING - 1) != 0;  // they count from 1
  }
  Attributes<IFLA_INET6_CONF> ipv6;
  if (family.at[AF_INET6] != nullptr && ipv6.parse_nested(family.at[AF_INET6]) && ipv6.at[IFLA_INET6_CONF] != nullptr) {
    const nlattr* table = ipv6.at[IFLA_INET6_CONF];
    link.ipv6 = Ipv6Settings{.accept_ra = setting(table, DEVCONF_ACCEPT_RA),
                             .forwards = setting(table, DEVCONF_FORWARDING) != 0,
                             .disabled = setting(table, DEVCONF_DISABLE_IPV6) != 0};
  }
}

std::optional<Link> parse_link(nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWLINK) return std::nullopt;
  Attributes<IFLA_LINK_NETNSID> attributes;
  if (!attributes.parse(header, sizeof(ifinfomsg)) || attributes.at[IFLA_IFNAME] == nullptr) return std::nullopt;
  const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(&header));
  const auto& at = attributes.at;
  Link link;
  link.index = IfIndex{info->ifi_index};
  link.name = text_of(at[IFLA_IFNAME]);
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.promiscuous = (info->ifi_flags & IFF_PROMISC) != 0;
  if (at[IFLA_ADDRESS] != nullptr && nla_len(at[IFLA_ADDRESS]) == 6) {
    link.mac = MacAddr::from_bytes(nla_data(at[IFLA_ADDRESS]));
  }
  if (at[IFLA_MTU] != nullptr) link.mtu = value_of<uint32_t>(at[IFLA_MTU]);
  if (at[IFLA_MASTER] != nullptr) link.master = IfIndex{value_of<int>(at[IFLA_MASTER])};
  if (at[IFLA_LINK] != nullptr) link.peer = IfIndex{value_of<int>(at[IFLA_LINK])};
  if (at[IFLA_LINK_NETNSID] != nullptr) link.peer_namespace = value_of<int>(at[IFLA_LINK_NETNSID]);
  if (at[IFLA_OPERSTATE] != nullptr) link.operational = value_of<uint8_t>(at[IFLA_OPERSTATE]) == IF_OPER_UP;
  if (at[IFLA_IFALIAS] != nullptr) link.alias = text_of(at[IFLA_IFALIAS]);
  if (at[IFLA_GROUP] != nullptr) link.group = value_of<uint32_t>(at[IFLA_GROUP]);
  if (at[IFLA_LINKINFO] != nullptr) parse_kind(at[IFLA_LINKINFO], link);
  if (at[IFLA_AF_SPEC] != nullptr) parse_settings(at[IFLA_AF_SPEC], link);
  return link;
}

bool is_absent(const Error& error) { return error.errnum() == ENODEV || error.errnum() == ENOENT; }

// Counters, which nobody looks at here, are the sum over all processors, and a third of an answer.
void put_without_counters(nl_msg* message) { must(nla_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)); }

Result<std::optional<Link>> get_link(Netlink& route, nl_msg* message, const std::string& shown) {
  put_without_counters(message);
  std::optional<Link> found;
  const Status status =
      route.query(message, "look up interface " + shown, [&](nlmsghdr& answer) { found = parse_link(answer); });
  if (!status.ok() && !is_absent(status.error())) return status.error();
  return found;
}

// Names longer than this are refused by the kernel with a range error that hides which name is meant.
bool is_possible_name(const std::string& name) { return !name.empty() && name.size() < IFNAMSIZ; }

// Requests with IFLA_* attributes on an existing link, or on one to be made.
Result<MsgPtr> build_link(rtnl_link* link, int flags, const std::string& operation) {
  nl_msg* message = nullptr;
  CNIO_TRY(built(rtnl_link_build_add_request(link, flags, &message), operation));
  return MsgPtr(message);
}

Status change_flags(Netlink& route, const Link& link, unsigned change, unsigned flags, const std::string& operation) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  info.ifi_change = change;
  info.ifi_flags = flags;
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  return route.request(message.get(), operation);
}

}  // namespace

Result<std::optional<Link>> find_name_owner(Netlink& route, const std::string& name) {
  if (!is_possible_name(name)) return std::optional<Link>();
  const MsgPtr message = link_message(RTM_GETLINK, 0, ifinfomsg{});
  put_text(message.get(), IFLA_IFNAME, name);
  return get_link(route, message.get(), name);
}

Result<std::optional<Link>> find_link(Netlink& route, const std::string& name) {
  CNIO_LET(std::optional<Link> found, find_name_owner(route, name));
  // The kernel also matches alternative names; such a link is another one, with a name of its own.
  if (found && found->name != name) found.reset();
  return found;
}

Result<std::optional<Link>> find_link(Netlink& route, IfIndex index) {
  if (index == IfIndex::kNone) return std::optional<Link>();
  ifinfomsg info{};
  info.ifi_index = raw(index);
  const MsgPtr message = link_message(RTM_GETLINK, 0, info);
  return get_link(route, message.get(), "number " + std::to_string(raw(index)));
}

Result<std::vector<Link>> list_links(Netlink& route, IfIndex master) {
  const MsgPtr message = link_message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  if (master != IfIndex::kNone) must(nla_put_u32(message.get(), IFLA_MASTER, static_cast<uint32_t>(raw(master))));
  put_without_counters(message.get());
  std::vector<Link> links;
  const auto add = [&](nlmsghdr& answer) {
    auto link = parse_link(answer);
    // Old kernels ignore the filter of the request.
    if (link && (master == IfIndex::kNone || link->master == master)) links.push_back(*std::move(link));
  };
  CNIO_TRY(route.query(message.get(), "list interfaces", add, [&] { links.clear(); }));
  return links;
}

Result<bool> create_bridge(Netlink& route, const BridgeSpec& spec) {
  // Not by libnl's rtnl_link_build_add_request: it has no VLAN filtering.
  ifinfomsg info{};
  info.ifi_flags = IFF_UP;
  info.ifi_change = IFF_UP;
  const MsgPtr message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, info);
  put_text(message.get(), IFLA_IFNAME, spec.name);
  if (spec.mtu != 0) must(nla_put_u32(message.get(), IFLA_MTU, spec.mtu));
  must(nla_put(message.get(), IFLA_ADDRESS, 6, spec.mac.data()));
  if (spec.group != 0) must(nla_put_u32(message.get(), IFLA_GROUP, spec.group));
  nlattr* linkinfo = checked(nla_nest_start(message.get(), IFLA_LINKINFO));
  put_text(message.get(), IFLA_INFO_KIND, "bridge");
  if (spec.vlan_filtering) {
    nlattr* data = checked(nla_nest_start(message.get(), IFLA_INFO_DATA));
    must(nla_put_u8(message.get(), IFLA_BR_VLAN_FILTERING, 1));
    nla_nest_end(message.get(), data);
  }
  nla_nest_end(message.get(), linkinfo);
  const Status created = route.request(message.get(), "create bridge " + spec.name);
  if (created.ok()) return true;
  if (created.error().errnum() == EEXIST) return false;
  return created.error();
}

namespace {

constexpr int kMaxBridgePorts = 1023;  // the kernel's BR_MAX_PORTS, of which 0 is none

void set_address(rtnl_link* link, const std::optional<MacAddr>& mac) {
  if (!mac) return;
  const NlAddrPtr address(checked(nl_addr_build(AF_LLC, mac->data(), 6)));
  rtnl_link_set_addr(link, address.get());
}

}  // namespace

Status create_veth(Netlink& route, const VethSpec& spec) {
  const RtnlLinkPtr host(checked(rtnl_link_veth_alloc()));
  rtnl_link_set_name(host.get(), spec.host_name.c_str());
  if (spec.master != IfIndex::kNone) rtnl_link_set_master(host.get(), raw(spec.master));
  const RtnlLinkPtr sandbox(checked(rtnl_link_veth_get_peer(host.get())));
  rtnl_link_set_name(sandbox.get(), spec.sandbox_name.c_str());
  if (spec.sandbox_fd >= 0) rtnl_link_set_ns_fd(sandbox.get(), spec.sandbox_fd);
  if (spec.mtu != 0) {
    rtnl_link_set_mtu(host.get(), spec.mtu);
    rtnl_link_set_mtu(sandbox.get(), spec.mtu);
  }
  set_address(host.get(), spec.host_mac);
  set_address(sandbox.get(), spec.sandbox_mac);
  const std::string operation = "create veth pair " + spec.host_name + " - " + spec.sandbox_name;
  CNIO_LET(const MsgPtr message, build_link(host.get(), NLM_F_CREATE | NLM_F_EXCL, operation));
  Status created = route.request(message.get(), operation);
  if (created.ok() || created.error().errnum() != EXFULL) return created;
  return std::move(created)
      .error()
      .note("the bridge has " + std::to_string(kMaxBridgePorts) + " ports, and no bridge can have more")
      .hint("run fewer pods on this host, or connect some of them to another bridge");
}

Status set_link_up(Netlink& route, const Link& link) {
  return change_flags(route, link, IFF_UP, IFF_UP, "set " + link.name + " up");
}

Status set_link_down(Netlink& route, const Link& link) {
  return change_flags(route, link, IFF_UP, 0, "set " + link.name + " down");
}

Status set_arp_notify(Netlink& route, const Link& link) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  nlattr* families = checked(nla_nest_start(message.get(), IFLA_AF_SPEC));
  nlattr* ipv4 = checked(nla_nest_start(message.get(), AF_INET));
  nlattr* settings = checked(nla_nest_start(message.get(), IFLA_INET_CONF));
  must(nla_put_u32(message.get(), IPV4_DEVCONF_ARP_NOTIFY, 1));
  nla_nest_end(message.get(), settings);
  nla_nest_end(message.get(), ipv4);
  nla_nest_end(message.get(), families);
  return route.request(message.get(), "have the addresses of " + link.name + " announced");
}

Status set_promiscuous(Netlink& route, const Link& link) {
  return change_flags(route, link, IFF_PROMISC, IFF_PROMISC, "make " + link.name + " promiscuous");
}

std::optional<bool> has_fixed_mac(const Link& link) {
  constexpr size_t kMaxNumber = 16;
  const std::string folder = "/sys/class/net/" + link.name + "/";
  const auto index = read_file(folder + "ifindex", kMaxNumber);
  const auto type = read_file(folder + "addr_assign_type", kMaxNumber);
  if (!index.ok() || !type.ok() || index.value() != std::to_string(raw(link.index)) + "\n") return std::nullopt;
  return type.value() == std::to_string(NET_ADDR_SET) + "\n";
}

Status set_alias(Netlink& route, const Link& link, const std::string& alias, std::optional<uint32_t> group) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  put_alias(message.get(), alias);
  if (group) must(nla_put_u32(message.get(), IFLA_GROUP, *group));
  return route.request(message.get(), "mark interface " + link.name);
}

Status set_mac(Netlink& route, const Link& link, const MacAddr& mac) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  must(nla_put(message.get(), IFLA_ADDRESS, 6, mac.data()));
  return route.request(message.get(), "set the MAC address of " + link.name + " to " + mac.to_string());
}

namespace {

void put_no_ipv6_address(nl_msg* message) {
  nlattr* families = checked(nla_nest_start(message, IFLA_AF_SPEC));
  nlattr* ipv6 = checked(nla_nest_start(message, AF_INET6));
  must(nla_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE));
  nla_nest_end(message, ipv6);
  nla_nest_end(message, families);
}

Status configure_port(Netlink& route, const Link& link, const PortSpec& spec, bool with_ipv6) {
  // libnl has no port attributes for RTM_NEWLINK: IFLA_LINKINFO { kind of the master, its data about this port }.
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  put_alias(message.get(), spec.alias);
  nlattr* linkinfo = checked(nla_nest_start(message.get(), IFLA_LINKINFO));
  put_text(message.get(), IFLA_INFO_SLAVE_KIND, "bridge");
  nlattr* port = checked(nla_nest_start(message.get(), IFLA_INFO_SLAVE_DATA));
  must(nla_put_u8(message.get(), IFLA_BRPORT_MODE, spec.hairpin ? 1 : 0));
  must(nla_put_u8(message.get(), IFLA_BRPORT_ISOLATED, spec.isolated ? 1 : 0));
  nla_nest_end(message.get(), port);
  nla_nest_end(message.get(), linkinfo);
  if (with_ipv6) put_no_ipv6_address(message.get());
  return route.request(message.get(), "configure bridge port " + link.name);
}

}  // namespace

Status configure_port(Netlink& route, const Link& link, const PortSpec& spec) {
  Status done = configure_port(route, link, spec, true);
  // Without IPv6, in the kernel or on this link (its MTU may be too small), there is nothing to be asked for.
  if (!done.ok() && done.error().errnum() == EAFNOSUPPORT) done = configure_port(route, link, spec, false);
  return done;
}

Result<bool> can_create(Netlink& route, const std::string& kind) {
  // The kernel looks at the kind first and at the address next: a group's cannot be a link's.
  static constexpr uint8_t kGroup[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01};
  const MsgPtr message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  must(nla_put(message.get(), IFLA_ADDRESS, sizeof kGroup, kGroup));
  nlattr* linkinfo = checked(nla_nest_start(message.get(), IFLA_LINKINFO));
  put_text(message.get(), IFLA_INFO_KIND, kind);
  nla_nest_end(message.get(), linkinfo);
  const Status status = route.request(message.get(), "ask for links of kind " + kind);
  if (status.ok()) return Error::make(Code::kInternal, "a link of kind " + kind + " was made that cannot be");
  if (status.error().errnum() == EADDRNOTAVAIL) return true;
  if (status.error().errnum() == EOPNOTSUPP) return false;
  return status.error();
}

namespace {

// Of a link that is there.
Status delete_link(Netlink& route, const Link& link) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  const MsgPtr message = link_message(RTM_DELLINK, 0, info);
  return route.request(message.get(), "remove interface " + link.name);
}

}  // namespace

Status remove_link(Netlink& route, const Link& link) {
  const Status removed = delete_link(route, link);
  if (!removed.ok() && !is_absent(removed.error())) return removed.error();
  return {};
}

namespace {

constexpr int kRemovalTimeoutMs = 10'000;

// By a process that stays behind. False if it has to be done without.
Result<bool> remove_swiftly(const Link& host_end, Netlink& sandbox, const Link& sandbox_end,
                            const std::vector<int>& slow, const Crowd* crowd) {
  CNIO_LET(LinkEvents events, LinkEvents::open());
  CNIO_LET(const Caretaker caretaker, Caretaker::start({.for_work = {sandbox.fd()}, .to_the_end = slow}, crowd,
                                                       [&] { return delete_link(sandbox, sandbox_end).ok(); }));
  return events.hear_of_removal(host_end, kRemovalTimeoutMs, caretaker.ended());
}

}  // namespace

Status remove_pair(Netlink& host, const Link& host_end, Netlink& sandbox, const Link& sandbox_end,
                   const std::vector<int>& slow, const Crowd* crowd) {
  const auto removed = remove_swiftly(host_end, sandbox, sandbox_end, slow, crowd);
  return removed.ok() && removed.value() ? Status() : remove_link(host, host_end);
}

Result<LinkEvents> LinkEvents::open() {
  CNIO_LET(Netlink events, Netlink::open(NETLINK_ROUTE, {RTNLGRP_LINK}));
  return LinkEvents(std::move(events));
}

Result<bool> LinkEvents::hear_of_removal(const Link& link, int timeout_ms, int end) {
  bool gone = false;
  const auto seen = [&](nlmsghdr* message) {
    if (message == nullptr) return true;
    // When a port leaves its bridge, that tells so, too, in a message of its own family.
    const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(message));
    gone = message->nlmsg_type == RTM_DELLINK && nlmsg_datalen(message) >= static_cast<int>(sizeof *info) &&
           info->ifi_family == AF_UNSPEC && info->ifi_index == raw(link.index);
    return gone;
  };
  CNIO_TRY(events_.wait_for(timeout_ms, seen, end));
  return gone;
}

Status LinkEvents::wait_operational(Netlink& route, const Link& link, int timeout_ms) {
  bool up = false;
  const auto look = [&]() -> Status {
    CNIO_LET(const std::optional<Link> now, find_link(route, link.index));
    up = now && now->operational;
    return {};
  };
  CNIO_TRY(look());
  if (up) return {};
  Status failure;
  const auto concerns_us = [&](nlmsghdr* message) {
    if (message == nullptr) return true;
    const auto changed = parse_link(*message);
    return changed && changed->index == link.index;
  };
  CNIO_TRY(events_.wait_for(timeout_ms, [&](nlmsghdr* message) {
    if (concerns_us(message)) failure = look();
    return !failure.ok() || up;
  }));
  CNIO_TRY(std::move(failure));
  if (up) return {};
  return Error::make(Code::kTryAgain,
                     "interface " + link.name + " did not come up within " + std::to_string(timeout_ms) + " ms")
      .hint("see `ip -d link show " + link.name + "`: its other end must be up, its bridge must not block the port");
}

}  // namespace cnio::net
