// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link/bridge.hpp"

#include <cerrno>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <netlink/netlink.h>

#include "net/link/message.hpp"

namespace cnio::net {

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

Status set_master(Netlink& route, const Link& link, IfIndex master, const std::string& operation) {
  ifinfomsg info{};
  info.ifi_index = raw(link.index);
  const MsgPtr message = link_message(RTM_NEWLINK, 0, info);
  must(nla_put_u32(message.get(), IFLA_MASTER, static_cast<uint32_t>(raw(master))));
  return route.request(message.get(), operation);
}

}  // namespace

Status join_bridge(Netlink& route, const Link& link, const Link& bridge) {
  return set_master(route, link, bridge.index, "make " + link.name + " a port of the bridge " + bridge.name);
}

Status leave_master(Netlink& route, const Link& link) {
  return set_master(route, link, IfIndex::kNone, "take " + link.name + " out of what it is a port of");
}

Status configure_port(Netlink& route, const Link& link, const PortSpec& spec) {
  Status done = configure_port(route, link, spec, true);
  // Without IPv6, in the kernel or on this link (its MTU may be too small), there is nothing to be asked for.
  if (!done.ok() && done.error().errnum() == EAFNOSUPPORT) done = configure_port(route, link, spec, false);
  return done;
}

}  // namespace cnio::net
