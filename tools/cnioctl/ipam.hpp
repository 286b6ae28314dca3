// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// host-local's addresses by state. With `state` ("live", "rebooted", "gone", "unknown", "foreign", "stale") each of
// these, with its reason. Found is what is stale.
Outcome ipam(const Facts& facts, const std::string& state, bool json);

}  // namespace cnio::cnioctl
