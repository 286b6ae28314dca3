// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"

namespace cnio::cnioctl {

// spec.podCIDRs of a Kubernetes Node object, as the API server gives it; spec.podCIDR where there are none. `name`, if
// it is not empty, is whose it has to be. Errors: code 6 for what is no Node, such as the API server's refusal, whose
// words are passed on; code 11 for a node that has none yet.
Result<std::vector<std::string>> parse_pod_cidrs(std::string_view text, const std::string& name);

}  // namespace cnio::cnioctl
