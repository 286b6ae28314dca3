// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnioctl/plugin_call.hpp"
#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// Compares pods with what ADD made: CHECK of the plugins, by what libcni's cache remembers of each, and what that does
// not see. `wanted` names pods or containers; none: all that are alive. Kinds: check (a plugin's own words), no-check
// (its version of the specification has none, or the list forbids it), unreadable, and those of problems.
Outcome check(Facts& facts, const Plugins& plugins, const std::vector<std::string>& wanted, bool json);

}  // namespace cnio::cnioctl
