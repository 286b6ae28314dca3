// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

// Intermediate functional blocks: what is redirected to one passes its queueing discipline, and then goes on as if it
// had just been received by the link that it comes from. So a link's incoming packets can wait for their turn.
namespace cnio::net {

struct IfbSpec {
  std::string name;
  IfIndex index = IfIndex::kNone;  // one that no other link has: so what follows can be asked for together. None: any
  uint32_t mtu = 0;                // 0: the kernel's choice
  MacAddr mac;                     // given at creation, so that udev leaves it alone
};
// Creates one that is down. Error: errno EEXIST if the name, or the index, is taken, EOPNOTSUPP if the kernel has none.
Status create_ifb(Netlink& route, const IfbSpec& spec);
// An index that the kernel would not give to any link of its own accord, at random.
IfIndex random_index();

// All of this kind.
Result<std::vector<Link>> list_ifbs(Netlink& route);

}  // namespace cnio::net
