// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnio/base/caretaker.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::net {

// Has a process that stays behind remove `link` by its socket `route`, and hears here when `last` is gone: the link
// itself, or one that goes with it, of which the kernel notifies last. See remove_pair (veth.hpp). False if it has to
// be done without. REQUIRES: `route` is not used afterwards.
Result<bool> remove_swiftly(const Link& last, Netlink& route, const Link& link, const std::vector<int>& slow = {},
                            const Crowd* crowd = nullptr);

}  // namespace cnio::net
