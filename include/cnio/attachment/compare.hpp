// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/attachment/network.hpp"
#include "cnio/base/error.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/route.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

// For CHECK: what ADD reported (prevResult), and what the kernel has. Errors: code 104, naming the object, what was
// expected and what was found.
namespace cnio::attachment {

Error differs(const std::string& object, const std::string& expected, const std::string& found);

Status check_mac(const std::string& object, const protocol::Interface& reported, const net::Link& link);

// The sandbox's end of the pair, which it returns.
Result<net::Link> check_sandbox_end(net::Sandbox& sandbox, const protocol::Request& request, const Network& network,
                                    const protocol::AddResult& prev);
// The host's end of it, which it returns.
Result<net::Link> check_host_end(net::Netlink& host, net::Sandbox& sandbox, const net::Link& sandbox_end,
                                 const Network& network, const protocol::AddResult& prev);

// `object` and `kind` lead the message: "bridge cni0: expected gateway address 10.1.0.1/24, found it missing".
Status check_addresses(net::Netlink& route, const net::Link& link, const std::string& object, const std::string& kind,
                       const std::vector<Cidr>& wanted);
Status check_addresses(net::Sandbox& sandbox, const net::Link& link, const protocol::AddResult& prev);
// The routes may stand in any table in which packets from the interface's addresses are looked up: another plugin of
// the chain may have moved them there (sbr, vrf).
Status check_routes(net::Sandbox& sandbox, const net::Link& link, const std::vector<net::RouteSpec>& wanted);

}  // namespace cnio::attachment
