// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"
#include "cnio/net/link.hpp"

namespace cnio::net {

// Tells everyone on a link under which MAC address its IP addresses are reached from now on, so that nobody goes on
// sending to an earlier owner whom his tables remember: an ARP announcement (RFC 5227, section 3) or an unsolicited
// neighbour advertisement that overrides what is known (RFC 4861, section 7.2.6). Who knows no such address learns
// nothing. One frame for each address; it is not waited for anything.
class Announcer {
 public:
  // Acts in the namespace that the calling thread is in now. Never fails here: where packet sockets are forbidden
  // (CAP_NET_RAW) or the kernel has none, `announce` says so.
  static Announcer open();

  // The link must be up, its other side forwarding, and no address tentative. Tries all addresses. Error: code 100.
  [[nodiscard]] Status announce(const Link& link, const std::vector<IpAddr>& addresses) const;

 private:
  Announcer(UniqueFd packets, int failure) : packets_(std::move(packets)), failure_(failure) {}

  UniqueFd packets_;
  int failure_;  // errno, if there is no socket
};

}  // namespace cnio::net
