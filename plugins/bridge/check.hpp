// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/base/result.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/request.hpp"

#include "bridge/config.hpp"

namespace cnio::bridge {

// Compares what ADD reported (prevResult) and what the configuration asks for with the kernel's state: bridge, veth
// pair, addresses and routes. Error: code 104, naming the object, what was expected and what was found.
Status check_links(net::Netlink& host, net::Sandbox& sandbox, const protocol::Request& request, const Config& config,
                   const protocol::AddResult& prev_result);

}  // namespace cnio::bridge
