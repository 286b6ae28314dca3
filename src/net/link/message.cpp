// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "net/link/message.hpp"

#include <cerrno>
#include <cstring>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <netlink/netlink.h>

namespace cnio::net {
namespace {

// Attributes of a message as a table by type; kMax is the highest one that is read.
template <int kMax>
struct AttributeTable {
  nlattr* at[kMax + 1] = {};

  bool parse(nlmsghdr& header, size_t fixed) {
    return nlmsg_parse(&header, static_cast<int>(fixed), at, kMax, nullptr) >= 0;
  }
  bool parse_nested(nlattr* parent) { return nla_parse_nested(at, kMax, parent, nullptr) >= 0; }
};

void parse_kind(nlattr* linkinfo, Link& link) {
  AttributeTable<IFLA_INFO_SLAVE_DATA> info;
  if (!info.parse_nested(linkinfo)) return;
  if (info.at[IFLA_INFO_KIND] != nullptr) link.kind = text_of(info.at[IFLA_INFO_KIND]);
  if (link.kind == "vrf" && info.at[IFLA_INFO_DATA] != nullptr) {
    AttributeTable<IFLA_VRF_TABLE> vrf;
    if (vrf.parse_nested(info.at[IFLA_INFO_DATA]) && vrf.at[IFLA_VRF_TABLE] != nullptr) {
      link.vrf_table = value_of<uint32_t>(vrf.at[IFLA_VRF_TABLE]);
    }
  }
  if (link.kind == "bridge" && info.at[IFLA_INFO_DATA] != nullptr) {
    AttributeTable<IFLA_BR_VLAN_FILTERING> bridge;
    if (bridge.parse_nested(info.at[IFLA_INFO_DATA]) && bridge.at[IFLA_BR_VLAN_FILTERING] != nullptr) {
      link.vlan_filtering = value_of<uint8_t>(bridge.at[IFLA_BR_VLAN_FILTERING]) != 0;
    }
  }
  if (info.at[IFLA_INFO_SLAVE_KIND] == nullptr || text_of(info.at[IFLA_INFO_SLAVE_KIND]) != "bridge" ||
      info.at[IFLA_INFO_SLAVE_DATA] == nullptr) {
    return;
  }
  AttributeTable<IFLA_BRPORT_ISOLATED> port;
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
  AttributeTable<AF_INET6> family;
  if (!family.parse_nested(families)) return;
  AttributeTable<IFLA_INET_CONF> ipv4;
  if (family.at[AF_INET] != nullptr && ipv4.parse_nested(family.at[AF_INET]) && ipv4.at[IFLA_INET_CONF] != nullptr) {
    const nlattr* table = ipv4.at[IFLA_INET_CONF];
    link.forwards_ipv4 = setting(table, IPV4_DEVCONF_FORWARDING - 1) != 0;  // they count from 1
    link.announces_ipv4 = setting(table, IPV4_DEVCONF_ARP_NOTIFY - 1) != 0;
  }
  AttributeTable<IFLA_INET6_CONF> ipv6;
  if (family.at[AF_INET6] != nullptr && ipv6.parse_nested(family.at[AF_INET6]) && ipv6.at[IFLA_INET6_CONF] != nullptr) {
    const nlattr* table = ipv6.at[IFLA_INET6_CONF];
    link.ipv6 = Ipv6Settings{.accept_ra = setting(table, DEVCONF_ACCEPT_RA),
                             .forwards = setting(table, DEVCONF_FORWARDING) != 0,
                             .disabled = setting(table, DEVCONF_DISABLE_IPV6) != 0,
                             .announces = setting(table, DEVCONF_NDISC_NOTIFY) != 0};
  }
}

}  // namespace

int raw(IfIndex index) { return static_cast<int>(index); }

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

void put_no_ipv6_address(nl_msg* message) {
  nlattr* families = checked(nla_nest_start(message, IFLA_AF_SPEC));
  nlattr* ipv6 = checked(nla_nest_start(message, AF_INET6));
  must(nla_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE));
  nla_nest_end(message, ipv6);
  nla_nest_end(message, families);
}

std::optional<Link> parse_link(nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWLINK) return std::nullopt;
  AttributeTable<IFLA_MAX_MTU> attributes;
  if (!attributes.parse(header, sizeof(ifinfomsg)) || attributes.at[IFLA_IFNAME] == nullptr) return std::nullopt;
  const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(&header));
  const auto& at = attributes.at;
  Link link;
  link.index = IfIndex{info->ifi_index};
  link.name = text_of(at[IFLA_IFNAME]);
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.promiscuous = (info->ifi_flags & IFF_PROMISC) != 0;
  link.all_multicast = (info->ifi_flags & IFF_ALLMULTI) != 0;
  link.carrier = (info->ifi_flags & IFF_LOWER_UP) != 0;
  if (at[IFLA_ADDRESS] != nullptr && nla_len(at[IFLA_ADDRESS]) == 6) {
    link.mac = MacAddr::from_bytes(nla_data(at[IFLA_ADDRESS]));
  }
  if (at[IFLA_MTU] != nullptr) link.mtu = value_of<uint32_t>(at[IFLA_MTU]);
  if (at[IFLA_MIN_MTU] != nullptr) link.min_mtu = value_of<uint32_t>(at[IFLA_MIN_MTU]);
  if (at[IFLA_MAX_MTU] != nullptr) link.max_mtu = value_of<uint32_t>(at[IFLA_MAX_MTU]);
  if (at[IFLA_TXQLEN] != nullptr) link.tx_queue = value_of<uint32_t>(at[IFLA_TXQLEN]);
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

Status delete_link(Netlink& route, const Link& link) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  const MsgPtr message = link_message(RTM_DELLINK, 0, info);
  return route.request(message.get(), "remove interface " + link.name);
}

bool is_absent(const Error& error) { return error.errnum() == ENODEV || error.errnum() == ENOENT; }

}  // namespace cnio::net
