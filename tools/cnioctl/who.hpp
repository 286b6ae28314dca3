// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// All that is known of one thing: an address, a port of the host ("8080", "udp/53"), a link, a pod ("default/web",
// "web"), or a container (its ID, or how it begins; "<ID>/<interface>"). Exit kNothing if nobody has it. `facts` gains
// the names of pods, as far as they are needed.
Outcome who(Facts& facts, const std::string& thing, bool json);

}  // namespace cnio::cnioctl
