// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/own_address.hpp"

#include <linux/rtnetlink.h>
#include <optional>

#include <netlink/msg.h>

#include "cnio/net/address.hpp"
#include "cnio/net/route.hpp"

namespace cnio::net {
namespace {

// The first of the addresses that is not the link's own: the kernel puts a local route into its table for each that is,
// the last that it does.
Result<std::optional<IpAddr>> find_not_own(Netlink& route, const Link& link, const std::vector<IpAddr>& addresses) {
  for (const IpAddr& address : addresses) {
    CNIO_LET(const std::optional<RouteMatch> match, match_route(route, address, link.index));
    const bool own = match && match->local && match->link == link.index && match->dst == Cidr::host(address);
    if (!own) return std::optional(address);
  }
  return std::optional<IpAddr>();
}

bool is_local_route(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE || nlmsg_datalen(&message) < static_cast<int>(sizeof(rtmsg))) return false;
  return static_cast<const rtmsg*>(nlmsg_data(&message))->rtm_type == RTN_LOCAL;
}

}  // namespace

Status wait_until_own(Netlink& route, const Link& link, const std::vector<IpAddr>& addresses, int timeout_ms,
                      const Listen& listen) {
  CNIO_LET(std::optional<IpAddr> missing, find_not_own(route, link, addresses));
  if (!missing) return {};
  CNIO_LET(Netlink events, listen({RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK}));
  const auto are_own = [&]() -> Result<bool> {
    CNIO_TRY(read_again(route, link));
    CNIO_LET(missing, find_not_own(route, link, addresses));
    return !missing;
  };
  const auto concerns = [](nlmsghdr& message) { return message.nlmsg_type == RTM_DELLINK || is_local_route(message); };
  CNIO_LET(const bool own, events.look_until(timeout_ms, are_own, concerns));
  if (own) return {};
  return Error::make(Code::kTryAgain, "the kernel has not made the address " + missing->to_string() + " of " +
                                          link.name + " its own within " + std::to_string(timeout_ms) + " ms");
}

Result<std::vector<IpAddr>> list_link_local_addresses(Netlink& route, const Link& link) {
  CNIO_LET(const std::vector<Address> all, list_addresses(route, link, Family::kIpv6));
  std::vector<IpAddr> own;
  for (const Address& address : all) {
    if (address.cidr.addr.is_link_local_unicast() && !address.dad_failed) own.push_back(address.cidr.addr);
  }
  return own;
}

}  // namespace cnio::net
