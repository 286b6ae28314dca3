// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// The node as a picture: SVG, or DOT where the file's name ends so; "-" is standard output. `facts` with names and
// routes. It is drawn whatever is wrong: exit kWell, or kBlind.
Outcome picture(const Facts& facts, const std::string& file);

}  // namespace cnio::cnioctl
