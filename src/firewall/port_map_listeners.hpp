// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/firewall/port_map.hpp"

namespace cnio::firewall {

// Names the programs of the host that wait at ports which now lead to a pod: nobody reaches them any more. Nothing
// where that cannot be found out.
void note_listeners(const PortMapSpec& spec, std::vector<std::string>& notes);

}  // namespace cnio::firewall
