// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "cnio/attachment/network.hpp"
#include "cnio/base/result.hpp"
#include "cnio/firewall/masquerade.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

// What `ipMasq` asks for, for a network whose pods have addresses.
namespace cnio::attachment {

// What `ipMasqBackend` says. Error: code 7.
Result<firewall::MasqueradeBackend> masquerade_backend(const MainConfig& config);

// What masquerading needs must be there before anything is changed. Nothing if it is not asked for.
Result<std::optional<net::NftConnection>> require_masquerade(const protocol::Request& request, const Network& network);

// For STATUS.
Status rehearse_masquerade(const protocol::Request& request, const Network& network);

// For ADD and CHECK. Nothing is done if it is not asked for.
Status masquerade(const protocol::Request& request, const Network& network, const protocol::AddResult& result,
                  std::optional<net::NftConnection>& nft, Rollback& undo);
Status check_masquerade(const protocol::Request& request, const Network& network, const protocol::AddResult& result);

}  // namespace cnio::attachment
