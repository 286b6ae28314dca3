// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnio/base/result.hpp"
#include "cnio/net/nftables/nftables.hpp"

namespace cnio::firewall {

// Removes what the reference's nftables back end has made for a container: its rules in the tables `ip` and `ip6`
// cni_hostport, which say no more of their owner than the container's ID. None is success; what all share there stays.
Status remove_reference_port_map(net::NftConnection& nft, const std::string& container_id);

}  // namespace cnio::firewall
