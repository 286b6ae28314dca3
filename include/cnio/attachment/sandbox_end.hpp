// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/attachment/network.hpp"
#include "cnio/attachment/pair.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/address.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/route.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/result.hpp"

// The sandbox's side of a pair.
namespace cnio::attachment {

// Can the link have IPv6 addresses and routes? `purpose` ("the address fd01::1/64") tells what for. Error: code 100.
Status require_ipv6(const net::Link& link, const Network& network, const std::string& purpose);

// Does the kernel look for duplicates of the link's IPv6 addresses? To be called inside the sandbox, before the link is
// up: from then on its link-local address is looked for, and cannot be used for a second or two.
void prepare_duplicate_detection(const net::Link& link, const Network& network);

// Addresses, up, then the host end up (in this order: see net::create_veth), duplicate address detection if asked for,
// routes. Both ends may be up already, for an IPAM plugin that uses the link.
inline constexpr int kDuplicateDetectionTimeoutMs = 10'000;
Status configure_sandbox_end(net::Netlink& host, net::Sandbox& sandbox, const Veth& veth, const Network& network,
                             const protocol::AddResult& result, const std::vector<net::RouteSpec>& routes,
                             net::PrefixRoute prefix_route = net::PrefixRoute::kMade);

}  // namespace cnio::attachment
