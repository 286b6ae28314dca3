// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/route.hpp"
#include "cnio/protocol/result.hpp"

// What leads where between a pod and its host.
namespace cnio::ptp {

// The sandbox's routes, in the order in which they are added: to each gateway, which is on the link; by it to the rest
// of each address's network, for nobody else is on the link; then those of the result. Error: code 101 for an address
// without gateway, a gateway that is the pod's own address, and as attachment::kernel_routes.
Result<std::vector<net::RouteSpec>> sandbox_routes(const protocol::AddResult& result);

// What the host's end gets: each gateway alone.
std::vector<Cidr> gateways_of(const protocol::AddResult& result);

// May the host have routes to the pod's addresses? An address that is the host's own, or to which a link leads that
// is up and has a carrier, is somebody else's: error, code 103, naming that link. A route by a link that is down or has
// lost its other end is left over, and gives way. A gateway may be the host's own already, but not another pod's.
// Returns the addresses to which there is certainly no route.
Result<std::vector<IpAddr>> check_addresses_free(net::Netlink& host, const protocol::AddResult& result);

// Takes those out to which a link of the host leads that carries frames: when the pod's own is gone, another pod's.
Status leave_to_others(net::Netlink& host, std::vector<IpAddr>& addresses);

// Gives the host's end the gateways, and the host a route to each address, in place of those left over. `unknown`:
// to these there are certainly none. Error: code 103 if another pod has got an address meanwhile, or one that lets
// nothing through comes first.
Status connect_host_end(net::Netlink& host, const net::Link& host_end, const protocol::AddResult& result,
                        const std::vector<IpAddr>& unknown);

// For CHECK. Error: code 104.
Status check_host_routes(net::Netlink& host, const net::Link& host_end, const protocol::AddResult& result);

}  // namespace cnio::ptp
