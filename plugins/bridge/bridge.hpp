// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// bridge: connects a sandbox to a Linux bridge on the host by a veth pair, and lets an IPAM plugin give it addresses.
// Reading order: bridge.cpp (what is special about it; attachment/stories.hpp has the rest), keys.hpp, then the steps
// in steps.hpp and check.hpp.
namespace cnio::bridge {

protocol::Plugin plugin();

}  // namespace cnio::bridge
