// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnio/net/nftables/nftables.hpp"

namespace cnio::net {

// As nft names it: "inet cnio_masquerade".
std::string to_string(const NftTable& table);

}  // namespace cnio::net
