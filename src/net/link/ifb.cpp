// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link/ifb.hpp"

#include <cstring>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <netlink/netlink.h>

#include "net/link/message.hpp"

namespace cnio::net {
namespace {

void put_kind(nl_msg* message) {
  nlattr* linkinfo = checked(nla_nest_start(message, IFLA_LINKINFO));
  put_text(message, IFLA_INFO_KIND, "ifb");
  nla_nest_end(message, linkinfo);
}

}  // namespace

Status create_ifb(Netlink& route, const IfbSpec& spec) {
  ifinfomsg info{};
  info.ifi_index = raw(spec.index);
  const MsgPtr message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, info);
  put_text(message.get(), IFLA_IFNAME, spec.name);
  if (spec.mtu != 0) must(nla_put_u32(message.get(), IFLA_MTU, spec.mtu));
  must(nla_put(message.get(), IFLA_ADDRESS, 6, spec.mac.data()));
  // What waits, waits in a queueing discipline, and there is one of those.
  must(nla_put_u32(message.get(), IFLA_TXQLEN, 0));
  must(nla_put_u32(message.get(), IFLA_NUM_TX_QUEUES, 1));
  must(nla_put_u32(message.get(), IFLA_NUM_RX_QUEUES, 1));
  put_kind(message.get());
  return route.request(message.get(), "create ifb " + spec.name);
}

IfIndex random_index() {
  // The kernel counts from 1 on.
  constexpr uint32_t kFirst = 1U << 30U;
  uint32_t number = 0;
  const MacAddr random = MacAddr::random();
  std::memcpy(&number, random.data() + 2, sizeof number);
  return IfIndex{static_cast<int>(kFirst | (number & (kFirst - 1)))};
}

Result<std::vector<Link>> list_ifbs(Netlink& route) {
  const MsgPtr message = link_message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  put_kind(message.get());
  return collect_links(route, message.get(), [](const Link& link) { return link.kind == "ifb"; });
}

}  // namespace cnio::net
