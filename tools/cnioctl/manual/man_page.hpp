// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnioctl/manual/words.hpp"

namespace cnio::cnioctl {

// cnioctl(8), for man(1).
std::string man_page(const std::vector<VerbWords>& verbs);

}  // namespace cnio::cnioctl
