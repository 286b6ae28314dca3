// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link/link.hpp"

#include <cerrno>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <netlink/netlink.h>

#include "cnio/base/unique_fd.hpp"

#include "net/link/message.hpp"

namespace cnio::net {
namespace {

// Counters, which nobody looks at here, are the sum over all processors, and a third of an answer.
void put_without_counters(nl_msg* message) { must(nla_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)); }

Result<std::optional<Link>> get_link(Netlink& route, nl_msg* message, const std::string& shown) {
  put_without_counters(message);
  std::optional<Link> found;
  const Status status = route.query_together({message}, "look up interface " + shown,
                                             [&](nlmsghdr& answer) { found = parse_link(answer); });
  if (!status.ok() && !is_absent(status.error())) return status.error();
  return found;
}

// Names longer than this are refused by the kernel with a range error that hides which name is meant.
bool is_possible_name(const std::string& name) { return !name.empty() && name.size() < IFNAMSIZ; }

Status change_flags(Netlink& route, const Link& link, unsigned change, unsigned flags, const std::string& operation) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  info.ifi_change = change;
  info.ifi_flags = flags;
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  return route.request(message.get(), operation);
}

void put_flag(ifinfomsg& info, unsigned flag, const std::optional<bool>& wanted) {
  if (!wanted) return;
  info.ifi_change |= flag;
  if (*wanted) info.ifi_flags |= flag;
}

Status change(Netlink& route, const Link& link, const LinkChange& change, const std::string& operation) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  put_flag(info, IFF_PROMISC, change.promiscuous);
  put_flag(info, IFF_ALLMULTI, change.all_multicast);
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  if (change.mac) must(nla_put(message.get(), IFLA_ADDRESS, 6, change.mac->data()));
  if (change.mtu) must(nla_put_u32(message.get(), IFLA_MTU, *change.mtu));
  if (change.tx_queue) must(nla_put_u32(message.get(), IFLA_TXQLEN, *change.tx_queue));
  return route.request(message.get(), operation);
}

// The key's value, if it has one, as part of a list.
void append(std::string& list, std::string_view key, const std::optional<std::string>& value) {
  if (value) list.append(list.empty() ? "" : ", ").append(key).append(" ").append(*value);
}
std::optional<std::string> shown(const std::optional<uint32_t>& number) {
  return number ? std::optional(std::to_string(*number)) : std::nullopt;
}
std::optional<std::string> shown(const std::optional<bool>& flag) {
  return flag ? std::optional<std::string>(*flag ? "on" : "off") : std::nullopt;
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

Result<Link> read_again(Netlink& route, const Link& link) {
  CNIO_LET(const std::optional<Link> now, find_link(route, link.index));
  if (now) return *now;
  return Error::make(Code::kTryAgain, "interface " + link.name + " was removed meanwhile");
}

Result<std::vector<Link>> list_links(Netlink& route, IfIndex master) {
  const MsgPtr message = link_message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  if (master != IfIndex::kNone) must(nla_put_u32(message.get(), IFLA_MASTER, static_cast<uint32_t>(raw(master))));
  return collect_links(route, message.get(),
                       [&](const Link& link) { return master == IfIndex::kNone || link.master == master; });
}

Result<std::vector<Link>> collect_links(Netlink& route, nl_msg* message,
                                        const std::function<bool(const Link&)>& wanted) {
  put_without_counters(message);
  std::vector<Link> links;
  const auto add = [&](nlmsghdr& answer) {
    auto link = parse_link(answer);
    if (link && wanted(*link)) links.push_back(*std::move(link));
  };
  CNIO_TRY(route.query(message, "list interfaces", add, [&] { links.clear(); }));
  return links;
}

Status set_link_up(Netlink& route, const Link& link) {
  return change_flags(route, link, IFF_UP, IFF_UP, "set " + link.name + " up");
}

Status set_link_down(Netlink& route, const Link& link) {
  return change_flags(route, link, IFF_UP, 0, "set " + link.name + " down");
}

Status set_arp_notify(Netlink& route, const Link& link, bool on) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  nlattr* families = checked(nla_nest_start(message.get(), IFLA_AF_SPEC));
  nlattr* ipv4 = checked(nla_nest_start(message.get(), AF_INET));
  nlattr* settings = checked(nla_nest_start(message.get(), IFLA_INET_CONF));
  must(nla_put_u32(message.get(), IPV4_DEVCONF_ARP_NOTIFY, on ? 1 : 0));
  nla_nest_end(message.get(), settings);
  nla_nest_end(message.get(), ipv4);
  nla_nest_end(message.get(), families);
  const std::string what = on ? "have the addresses of " : "have no more addresses of ";
  return route.request(message.get(), what + link.name + " announced");
}

Status set_promiscuous(Netlink& route, const Link& link) {
  return change(route, link, {.promiscuous = true}, "make " + link.name + " promiscuous");
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

Status set_no_ipv6_address(Netlink& route, const Link& link) {
  if (!link.ipv6) return {};
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  put_no_ipv6_address(message.get());
  return route.request(message.get(), "keep " + link.name + " without an IPv6 address");
}

Status set_mac(Netlink& route, const Link& link, const MacAddr& mac) {
  return change(route, link, {.mac = mac}, "set the MAC address of " + link.name + " to " + mac.to_string());
}

LinkChange present(const Link& link, const LinkChange& wanted) {
  LinkChange now;
  if (wanted.mac) now.mac = link.mac;
  if (wanted.mtu) now.mtu = link.mtu;
  if (wanted.promiscuous) now.promiscuous = link.promiscuous;
  if (wanted.all_multicast) now.all_multicast = link.all_multicast;
  if (wanted.tx_queue) now.tx_queue = link.tx_queue;
  return now;
}

LinkChange differing(const LinkChange& wanted, const LinkChange& now) {
  LinkChange different;
  if (wanted.mac != now.mac) different.mac = wanted.mac;
  if (wanted.mtu != now.mtu) different.mtu = wanted.mtu;
  if (wanted.promiscuous != now.promiscuous) different.promiscuous = wanted.promiscuous;
  if (wanted.all_multicast != now.all_multicast) different.all_multicast = wanted.all_multicast;
  if (wanted.tx_queue != now.tx_queue) different.tx_queue = wanted.tx_queue;
  return different;
}

std::string to_string(const LinkChange& change) {
  std::string list;
  append(list, "MAC address", change.mac ? std::optional(change.mac->to_string()) : std::nullopt);
  append(list, "mtu", shown(change.mtu));
  append(list, "promisc", shown(change.promiscuous));
  append(list, "allmulti", shown(change.all_multicast));
  append(list, "txQLen", shown(change.tx_queue));
  return list;
}

Status change_link(Netlink& route, const Link& link, const LinkChange& wanted) {
  return change(route, link, wanted, "set " + to_string(wanted) + " of " + link.name);
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

Status remove_link(Netlink& route, const Link& link) {
  const Status removed = delete_link(route, link);
  if (!removed.ok() && !is_absent(removed.error())) return removed.error();
  return {};
}

}  // namespace cnio::net
