// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// The namespaces in /run/netns into which this host has links, by the numbers by which these name them
// (Link::peer_namespace), with their paths. `report` gains what could not be looked at.
std::map<int, std::string> find_sandboxes(Report& report);

}  // namespace cnio::cnioctl
