// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "cnio/protocol/failures.hpp"

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// Calls that failed, as the plugins have kept them (protocol/failures.hpp).
struct FailureLog {
  using Kind = std::tuple<std::string, std::string, unsigned>;  // verb, plugin, code

  std::vector<protocol::Failure> failures;  // in the order in which they ended
  std::map<Kind, uint64_t> totals;          // since the last boot, with those that are not kept any more
};

// What is no line of it means nothing.
FailureLog parse_failures(std::string_view text);
// `report` gains why it could not be read; one that is not there is empty.
FailureLog read_failures(Report& report);

}  // namespace cnio::cnioctl
