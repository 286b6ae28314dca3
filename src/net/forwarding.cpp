// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/forwarding.hpp"

#include <algorithm>
#include <linux/netconf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "cnio/net/address.hpp"
#include "cnio/net/route.hpp"
#include "cnio/net/sysctl.hpp"

#include "net/nl_ptr.hpp"

namespace cnio::net {

std::string_view forwarding_sysctl(Family family) {
  return family == Family::kIpv4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
}

// By netlink: a look-up below /proc/sys/net passes by what other namespaces' look-ups of the same name have left in the
// kernel's cache of names, which on a node with a thousand pods takes a millisecond.
Result<bool> is_forwarding(Netlink& route, Family family) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETNETCONF, 0)));
  netconfmsg about{};
  about.ncm_family = static_cast<uint8_t>(af_of(family));
  must(nlmsg_append(message.get(), &about, sizeof about, NLMSG_ALIGNTO));
  must(nla_put_s32(message.get(), NETCONFA_IFINDEX, NETCONFA_IFINDEX_ALL));
  bool on = false;
  const auto look = [&](nlmsghdr& answer) {
    if (answer.nlmsg_type != RTM_NEWNETCONF) return;
    const nlattr* forwarding = nlmsg_find_attr(&answer, NLMSG_ALIGN(sizeof about), NETCONFA_FORWARDING);
    on = forwarding != nullptr && value_of<int>(forwarding) != 0;
  };
  CNIO_TRY(route.query(message.get(), "ask whether the host forwards packets", look));
  return on;
}

namespace {

// The links that have a route or an address from an advertisement, each once.
Result<std::vector<IfIndex>> list_learners(Netlink& route) {
  CNIO_LET(std::vector<IfIndex> links, list_links_with_learned_routes(route));
  CNIO_LET(const std::vector<OwnedAddress> addresses, list_addresses(route, Family::kIpv6));
  for (const OwnedAddress& each : addresses) {
    if (each.address.learned) links.push_back(each.owner);
  }
  std::sort(links.begin(), links.end());
  links.erase(std::unique(links.begin(), links.end()), links.end());
  return links;
}

Status keep_following(Netlink& route, const BelievesRouters& believes) {
  CNIO_LET(const std::vector<IfIndex> learners, list_learners(route));
  for (const IfIndex index : learners) {
    CNIO_LET(const std::optional<Link> link, find_link(route, index));
    if (!link || !link->ipv6 || link->ipv6->accept_ra != 1) continue;
    CNIO_LET(const bool trusted, believes(*link));
    if (!trusted) continue;
    const LinkSetting setting{Family::kIpv6, link->name, "accept_ra"};
    auto written = write_sysctl(setting, "2");
    if (written.ok()) continue;  // without the setting the link is gone
    return std::move(written)
        .error()
        .context("have " + link->name + " follow router advertisements on")
        .hint("the host has its route or address there from an advertisement, and would lose it; set " +
              to_string(setting) + " to 2, then " + std::string(forwarding_sysctl(Family::kIpv6)) + " to 1");
  }
  return {};
}

}  // namespace

Status switch_on_forwarding(Netlink& route, Family family, const BelievesRouters& believes) {
  const auto on = is_forwarding(route, family);
  if (on.ok() && on.value()) return {};
  if (family == Family::kIpv6) CNIO_TRY(keep_following(route, believes).context("switch on forwarding"));
  // If it cannot be told this way, /proc/sys does.
  CNIO_TRY(write_sysctl(family == Family::kIpv4 ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding", "1")
               .context("switch on forwarding"));
  return {};
}

}  // namespace cnio::net
