// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// tuning: sysctls of a container's network namespace, and what can be set of its interface; addresses and routes it
// does not touch. Reading order: tuning.cpp (the verbs), config.hpp (the keys), backup.hpp (what DEL goes by).
namespace cnio::tuning {

protocol::Plugin plugin();

}  // namespace cnio::tuning
