// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// bridge: connects a sandbox to a Linux bridge on the host by a veth pair, and lets an IPAM plugin give it addresses.
// Reading order: bridge.cpp (the verbs), config.hpp (the keys), then the steps in addressing.hpp, host.hpp and
// check.hpp.
namespace cnio::bridge {

protocol::Plugin plugin();

}  // namespace cnio::bridge
