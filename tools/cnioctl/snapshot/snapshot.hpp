// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnio/protocol/json.hpp"

#include "cnioctl/snapshot/conf_files.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// All that is known of the node at this moment: {"schema": "cnioctl/1", "snapshot": {...}}. `facts` with names and
// routes.
protocol::Json snapshot_of(const Facts& facts, const std::vector<ConfFile>& files);

}  // namespace cnio::cnioctl
