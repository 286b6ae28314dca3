// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/ipam/range_set.hpp"
#include "cnio/protocol/json.hpp"

namespace cnio::cnioctl {

// The addresses that host-local gives for this configuration of a plugin, in the words of its own parser.
Result<std::vector<ipam::RangeSet>> pools_of(const protocol::Json& plugin);

}  // namespace cnio::cnioctl
