// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "cnio/base/ip.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/route.hpp"

// Who on this node has addresses of a subnet that is to be its pods', besides the links that are for these pods.
namespace cnio::cnioctl {

// Is it the address of an overlay's interface? flannel and WireGuard give that the subnet's own address, alone.
bool is_of_overlay(const Cidr& address, const Cidr& subnet);

// A route by a link that is not one of theirs, to the subnet or to a part of it. The kernel is asked, not all its
// routes read: a node may have tens of thousands. REQUIRES: a prefix of at most /30 or /126.
Result<std::optional<net::RouteMatch>> find_rival_route(net::Netlink& host, const Cidr& subnet,
                                                        const std::function<bool(net::IfIndex)>& is_theirs);

}  // namespace cnio::cnioctl
