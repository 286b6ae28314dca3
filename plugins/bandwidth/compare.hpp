// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/protocol/result.hpp"

#include "bandwidth/config.hpp"
#include "bandwidth/names.hpp"

namespace cnio::bandwidth {

// For CHECK: is the pod limited as the configuration says, and no more? What the reference has made of the same limits
// is good. Error: code 104, naming the object.
Status compare(net::Netlink& host, const net::Link& host_end, const Owner& owner, const Config& config,
               const protocol::AddResult& result);

}  // namespace cnio::bandwidth
