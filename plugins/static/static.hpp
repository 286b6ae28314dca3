// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/plugin.hpp"

// static: gives the addresses, routes and DNS settings that the configuration or the runtime names. It keeps nothing,
// touches no interface and enters no namespace.
namespace cnio::static_ipam {

protocol::Plugin plugin();

}  // namespace cnio::static_ipam
