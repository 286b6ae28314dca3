// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// The node as a tree: bridges with their pods, then pods in no bridge. As JSON it is the same, nested.
Outcome tree(const Facts& facts, bool json);

}  // namespace cnio::cnioctl
