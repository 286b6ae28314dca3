// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// flannel: makes a configuration for another plugin out of its own and what flanneld says of this node's subnet, and
// lets that one do the work; itself it touches neither links nor addresses. Reading order: flannel.cpp (the verbs),
// delegation.hpp (what the other plugin is told), record.hpp (what DEL goes by), claim.hpp (one network a subnet).
namespace cnio::flannel {

protocol::Plugin plugin();

}  // namespace cnio::flannel
