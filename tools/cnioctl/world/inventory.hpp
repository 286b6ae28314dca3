// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cnio/firewall/owner.hpp"
#include "cnio/net/address.hpp"

#include "cnioctl/world/world.hpp"

namespace cnio::cnioctl {

// What the host has for each attachment that lives, and for all of them, in words that are only compared: two looks
// show what was lost between them.
struct Inventory {
  std::map<firewall::RuleOwner, std::set<std::string>> attached;
  std::set<std::string> node;  // bridges, gateways' addresses, forwarding
};
Inventory take_inventory(const World& world, const std::vector<net::OwnedAddress>& addresses,
                         const std::vector<std::string>& forwarding);

struct Losses {
  bool of_node = false;
  std::set<firewall::RuleOwner> attached = {};

  [[nodiscard]] bool any() const { return of_node || !attached.empty(); }
};
// Of those that live both times: who is gone has lost nothing, and who is new may not be whole yet.
Losses find_losses(const Inventory& before, const Inventory& now);
// What both have: a pod that is just being removed loses its rules before it is gone.
Losses both(const Losses& first, const Losses& second);

}  // namespace cnio::cnioctl
