// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

enum class Readers : bool { kRootAlone, kAll };

// What a verb has made of the facts, on standard output (an empty name, or "-"), or as a file that is replaced as a
// whole. What could not be looked at is said in any case.
Outcome deliver(const Facts& facts, const std::string& file, std::string content,
                Readers readers = Readers::kRootAlone);

}  // namespace cnio::cnioctl
