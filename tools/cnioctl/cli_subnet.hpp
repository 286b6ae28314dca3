// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "cnioctl/command_line/table.hpp"

namespace cnio::cnioctl {

// subnet, and its own.
std::span<const Verb> subnet_verbs();

}  // namespace cnio::cnioctl
