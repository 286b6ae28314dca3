// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/netlink.hpp"

// Rules that choose a routing table (`ip rule`) through RTM_GETRULE messages: linux/fib_rules.h.
namespace cnio::net {

struct Rule {
  std::optional<Cidr> source;  // nothing: whatever the packet's source is
  uint32_t table = 0;          // 0: that of the VRF which the packet's interface is in (`l3mdev`)
};

// Those that lead to a table by the packet's source alone: not those that look at its destination, mark, interface,
// ports or more, that are inverted, or that leave out some of the table's routes. In the order in which they are asked.
Result<std::vector<Rule>> list_rules(Netlink& route, Family family);

}  // namespace cnio::net
