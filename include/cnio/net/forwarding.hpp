// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::net {

// Makes the host forward packets of this family between its interfaces (ip_forward, conf/all/forwarding), in the
// namespace of the socket, which has to be the calling thread's. Nothing is written where that is so already, as it is
// on a node in use; there /proc/sys may be read-only.
Status switch_on_forwarding(Netlink& route, Family family);

}  // namespace cnio::net
