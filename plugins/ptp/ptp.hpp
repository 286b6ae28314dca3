// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// ptp: connects a sandbox to the host by a veth pair alone. The host's end is the pod's router, and the host has a
// route to each of the pod's addresses. Reading order: ptp.cpp (the verbs), config.hpp (the keys), routes.hpp (what
// leads where).
namespace cnio::ptp {

protocol::Plugin plugin();

}  // namespace cnio::ptp
