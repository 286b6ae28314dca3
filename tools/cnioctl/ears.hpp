// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::cnioctl {

// What the kernel has told since the last time.
struct Heard {
  bool lost = false;                    // so much that some of it was dropped: anything may have happened
  bool table_deleted = false;           // of nf_tables, as a flush and a firewall's reload do
  std::set<net::IfIndex> touched = {};  // links whose limits or whose settings as a port have changed
  size_t count = 0;

  [[nodiscard]] bool all() const { return lost || table_deleted; }
  void add(const Heard& other);
};

// Hears of what goes from nf_tables, links, addresses, limits and forwarding, from its opening on.
class Ears {
 public:
  static Result<Ears> open();
  // Waits for the first, and then until nothing more has come for a moment, but not long. `timeout_ms` -1: for ever.
  Result<Heard> wait(int timeout_ms);

 private:
  Ears(net::Netlink route, net::Netlink rules) : route_(std::move(route)), rules_(std::move(rules)) {}
  [[nodiscard]] Result<bool> poll(int timeout_ms) const;
  Status take(Heard& heard);

  net::Netlink route_;
  net::Netlink rules_;
};

}  // namespace cnio::cnioctl
