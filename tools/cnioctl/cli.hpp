// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/command_line/table.hpp"

namespace cnio::cnioctl {

// All verbs, and what each takes.
CommandLine command_line();

// The program, but for its last words: main writes them.
Outcome run(int argc, const char* const* argv);

}  // namespace cnio::cnioctl
