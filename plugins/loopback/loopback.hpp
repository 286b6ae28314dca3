// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// loopback: sets the sandbox's `lo` up, so that the processes of a pod reach each other under 127.0.0.1 and ::1.
// CNI_IFNAME is required by the protocol but not used: the interface is always `lo`.
namespace cnio::loopback {

protocol::Plugin plugin();

}  // namespace cnio::loopback
