// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnioctl/report.hpp"
#include "cnioctl/world/world.hpp"

namespace cnio::cnioctl {

// Sends an echo from the sandbox of each of these attachments, all at once, to each gateway that ADD has reported for
// it. Takes four seconds at most for each 200 of them, if nobody answers. The sandbox is the one that its cable leads
// into, by what the host knows; nothing that is in it is believed, run or changed. Kinds: no-echo (an error), no-ping
// (a note: nothing tells which sandbox or gateway it has), unreadable.
void ping(const std::vector<const Attached*>& pods, Report& report);

}  // namespace cnio::cnioctl
