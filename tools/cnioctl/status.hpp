// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// Is this node's pod network well? Found is a problem, or something stale. `files` is what lint says of the folder of
// networks.
Outcome status(const Facts& facts, const Report& files, bool json);

}  // namespace cnio::cnioctl
