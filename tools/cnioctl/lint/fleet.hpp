// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// The files of many nodes: `folder` has one for each, or a folder for each, of which the file that its runtime would
// take counts. Kinds: no-files (there is nothing to compare), same-subnet (two nodes would give one address),
// not-excluded (a node's pods are masqueraded towards those of another, although they are told which not to be),
// differs (not what most say); and of each file not-json, unreadable, placeholder, and with `inside` those of
// lint_inside.
void lint_fleet(const std::string& folder, bool inside, Report& report);

}  // namespace cnio::cnioctl
