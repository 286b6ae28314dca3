// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/firewall/port_map.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

namespace cnio::portmap {

// What a valid configuration asks for, but for the pod's addresses, which the chain's result tells; keys.hpp lists its
// keys. Ranges are taken apart, and what stands there twice is there once. DEL and GC read nothing of it. Errors: code
// 7, naming the key.
Result<firewall::PortMapSpec> parse_config(const protocol::Request& request);

// The addresses that ports lead to: of each family the first of the container's.
std::vector<Cidr> choose_addresses(const protocol::AddResult& result, const protocol::Attachment& attachment);

}  // namespace cnio::portmap
