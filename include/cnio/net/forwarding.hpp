// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::net {

// The setting that has the host forward packets of this family, as sysctl(8) takes it.
std::string_view forwarding_sysctl(Family family);

// Does the host forward packets of this family between its interfaces?
Result<bool> is_forwarding(Netlink& route, Family family);

// May this link believe router advertisements, if it has learned from some?
using BelievesRouters = std::function<Result<bool>(const Link& link)>;

// Makes the host forward packets of this family between its interfaces (ip_forward, conf/all/forwarding), in the
// namespace of the socket, which has to be the calling thread's. Nothing is written where that is so already, as it is
// on a node in use; there /proc/sys may be read-only.
//
// A host that forwards IPv6 follows no router advertisement any more, and forgets the default route that it has from
// one, unless the interface has accept_ra=2. So that is given first to each link that follows them now: accept_ra is 1,
// it has a route or an address from one, and `believes` agrees. If it cannot be, forwarding stays off.
Status switch_on_forwarding(
    Netlink& route, Family family, const BelievesRouters& believes = [](const Link&) { return true; });

}  // namespace cnio::net
