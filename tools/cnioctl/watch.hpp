// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/request.hpp"

#include "cnioctl/report.hpp"
#include "cnioctl/resync.hpp"

namespace cnio::cnioctl {

// Resyncs once, and then whatever pods lose, when the kernel tells of it, until it is killed. What each has done is
// printed at once. Ends only if it cannot listen.
//
// It does not react to its own changes for ever: what is there after it has mended is what the next look is compared
// with, and a repair of what is well changes nothing.
Outcome watch(const ResyncOptions& options, const protocol::Environment& environment);

}  // namespace cnio::cnioctl
