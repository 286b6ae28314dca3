// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// Calls that failed (Facts::failures), of one pod ("default/web", "web"), container (its ID, or how it begins;
// "<ID>/<interface>") or network, or of all: `thing` is empty. Those that say the same of the same are one, and of a
// failure that another plugin has passed on there is that one alone. Each with what is so now. Found is any; exit
// kNothing if there is none and `thing` is nobody here.
Outcome why(const Facts& facts, const std::string& thing, bool json);

}  // namespace cnio::cnioctl
