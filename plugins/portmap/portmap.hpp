// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// portmap: leads ports of the host to a container. Reading order: portmap.cpp (the verbs), config.hpp (the keys),
// cnio/firewall/port_map.hpp (what becomes of them).
namespace cnio::portmap {

protocol::Plugin plugin();

}  // namespace cnio::portmap
