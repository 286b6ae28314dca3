// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnioctl/report.hpp"
#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl {

// A table of attachments; of those that are stale only with `all`. Found is what is wrong with one of them.
Outcome pods(const Facts& facts, bool all, bool json);

}  // namespace cnio::cnioctl
