// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// firewall: lets the packets of pods that the plugins before it made pass the host's firewall, and keeps pods apart
// where the configuration asks for it. It touches no interface.
namespace cnio::pod_firewall {

protocol::Plugin plugin();

}  // namespace cnio::pod_firewall
