// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/net/nftables/nftables.hpp"

namespace cnio::firewall {

// The last thing to do with a connection: if it closes slowly, a process waits for that which stays behind.
void leave_closing(net::NftConnection& nft);

}  // namespace cnio::firewall
