// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::net {

// Hears link notifications from its opening on, so that no change between a look and a wait is missed.
class LinkEvents {
 public:
  static Result<LinkEvents> open(const Listen& listen = listen_here);
  // Waits until the link is operationally up. Error: code 11, naming the link and how long was waited,
  // or at once if it has been removed.
  Status wait_operational(Netlink& route, const Link& link, int timeout_ms);
  // Waits for the notification that the link is gone. False if it has not come within this time, may have been lost, or
  // the other side of the pipe `end` was closed before it.
  Result<bool> hear_of_removal(const Link& link, int timeout_ms, int end);

 private:
  explicit LinkEvents(Netlink events) : events_(std::move(events)) {}
  Netlink events_;
};

}  // namespace cnio::net
