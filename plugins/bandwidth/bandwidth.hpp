// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// bandwidth: limits what a container receives and sends. Reading order: bandwidth.cpp (the verbs), config.hpp (the
// keys), plan.hpp (what becomes of the numbers), shaping.hpp (what is made on the host).
namespace cnio::bandwidth {

protocol::Plugin plugin();

}  // namespace cnio::bandwidth
