// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// In the text format of Prometheus, for node exporter's textfile collector: on standard output, or renamed into place.
// Exit kWell whatever is wrong, for that is what they say; kBlind as always.
Outcome metrics(const Facts& facts, const std::string& file, bool json);

}  // namespace cnio::cnioctl
