// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link/events.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <netlink/netlink.h>

#include "net/link/message.hpp"

namespace cnio::net {

Result<LinkEvents> LinkEvents::open(const Listen& listen) {
  CNIO_LET(Netlink events, listen({RTNLGRP_LINK}));
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
  const auto is_up = [&]() -> Result<bool> {
    CNIO_LET(const Link now, read_again(route, link));
    return now.operational;
  };
  const auto concerns = [&](nlmsghdr& message) {
    const auto changed = parse_link(message);
    return changed && changed->index == link.index;
  };
  CNIO_LET(const bool up, events_.look_until(timeout_ms, is_up, concerns));
  if (up) return {};
  return Error::make(Code::kTryAgain,
                     "interface " + link.name + " did not come up within " + std::to_string(timeout_ms) + " ms")
      .hint("see `ip -d link show " + link.name + "`: its other end must be up, its bridge must not block the port");
}

}  // namespace cnio::net
