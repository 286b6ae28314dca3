// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/forwarding.hpp"

#include <linux/netconf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "cnio/net/sysctl.hpp"

#include "nl_ptr.hpp"

namespace cnio::net {
namespace {

// By netlink: a look-up below /proc/sys/net passes by what other namespaces' look-ups of the same name have left in the
// kernel's cache of names, which on a node with a thousand pods takes a millisecond.
Result<bool> is_forwarding(Netlink& route, Family family) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETNETCONF, 0)));
  netconfmsg about{};
  about.ncm_family = static_cast<uint8_t>(af_of(family));
  if (nlmsg_append(message.get(), &about, sizeof about, NLMSG_ALIGNTO) < 0 ||
      nla_put_s32(message.get(), NETCONFA_IFINDEX, NETCONFA_IFINDEX_ALL) < 0) {
    throw std::bad_alloc();
  }
  bool on = false;
  const auto look = [&](nlmsghdr& answer) {
    if (answer.nlmsg_type != RTM_NEWNETCONF) return;
    const nlattr* forwarding = nlmsg_find_attr(&answer, NLMSG_ALIGN(sizeof about), NETCONFA_FORWARDING);
    on = forwarding != nullptr && value_of<int>(forwarding) != 0;
  };
  CNIO_TRY(route.query(message.get(), "ask whether the host forwards packets", look));
  return on;
}

}  // namespace

Status switch_on_forwarding(Netlink& route, Family family) {
  const auto on = is_forwarding(route, family);
  if (on.ok() && on.value()) return {};
  // If it cannot be told this way, /proc/sys does.
  CNIO_TRY(write_sysctl(family == Family::kIpv4 ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding", "1")
               .context("switch on forwarding"));
  return {};
}

}  // namespace cnio::net
