// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// The program, but for its last words: main writes them.
Outcome run(int argc, const char* const* argv);

}  // namespace cnio::cnioctl
