// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <vector>

// What the plugins ask the kernel by netlink. The same operations are fed with made-up answers (netlink_fuzz.cpp) and
// recorded with those of a real kernel (record_netlink.cpp).
namespace cnio::fuzz {

struct NetlinkOperation {
  std::string_view name;
  // Opens its sockets, asks, and looks at all that it got.
  std::function<void()> run;
};

// Their places in the list are the first bytes of the inputs: new ones go to the end.
const std::vector<NetlinkOperation>& netlink_operations();

}  // namespace cnio::fuzz
