// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnio/base/result.hpp"

namespace cnio::cnioctl {

// What a file says that a person has named; "-": standard input. Errors: code 5, also for more than 64 MiB.
Result<std::string> read_input(const std::string& file);

}  // namespace cnio::cnioctl
