// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// All that can be wrong, in the words of JSON and metrics; in the order in which they are shown.
inline constexpr std::array<std::string_view, 11> kProblemKinds = {
    "no-bridge",         "port-lost",         "no-rule",  "wrong-rule", "no-forwarding", "forward-drop",
    "duplicate-address", "duplicate-gateway", "no-route", "unreadable", "pool-low"};

struct Problem {
  std::string kind;
  std::string where;                   // a network, "node", or what could not be read
  std::string what;                    // may hold what others have written
  std::string advice;                  // a command, or what to do; may be empty
  std::vector<std::string> pods = {};  // whose it is, by Attached::name; of those of one attachment none
};

// What one attachment lacks, as far as the host shows; nothing of one that is not alive.
std::vector<Problem> problems_of(const Attached& attached, const Facts& facts);

// Those of all attachments, put together by network, and those of the node.
std::vector<Problem> find_problems(const Facts& facts);
// Is one of them more than that something could not be looked at?
bool is_wrong(const std::vector<Problem>& problems);

}  // namespace cnio::cnioctl
