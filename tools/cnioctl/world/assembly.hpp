// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <vector>

#include "cnioctl/world/world.hpp"

namespace cnio::cnioctl {

// Puts together what is found of each attachment, wherever that was.
class Assembly {
 public:
  Attached& of(const firewall::RuleOwner& who);

  // Those of links first: a record tells of a link that is known.
  void add_links(std::vector<net::Link> links);
  void add_pairs(std::vector<attachment::RecordedPair> pairs);
  void add_rules(std::vector<firewall::OwnedRules> rules);
  void add_address(const firewall::RuleOwner& who, HeldAddress address);

  // Reservations in the old format go to the container's one interface, if it is known; the rest stands by itself.
  // Nothing is judged yet.
  World finish();

 private:
  std::map<firewall::RuleOwner, Attached> attached_;
  std::vector<net::Link> links_;
  std::map<net::IfIndex, size_t> by_index_;
  std::vector<firewall::OwnedRules> loose_;

  void give_old_format();
};

}  // namespace cnio::cnioctl
