// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "cnioctl/command_line/table.hpp"

namespace cnio::cnioctl {

// The verbs that speak of the program itself: version, help, completion, and man-page, which is for
// scripts/lib/man-pages alone.
std::span<const Verb> manual_verbs();

}  // namespace cnio::cnioctl
