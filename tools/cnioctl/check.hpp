// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnioctl/plugin_call.hpp"
#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

struct CheckOptions {
  std::vector<std::string> pods = {};  // or containers; none: all that are alive
  bool ping = false;                   // also whether their gateways answer: ping/ping.hpp
};

// Compares pods with what ADD made: CHECK of the plugins, by what libcni's cache remembers of each, and what that does
// not see. Kinds: check (a plugin's own words), no-check (its version of the specification has none, or the list
// forbids it), unreadable, those of problems, and those of ping.
Outcome check(Facts& facts, const Plugins& plugins, const CheckOptions& options, bool json);

}  // namespace cnio::cnioctl
