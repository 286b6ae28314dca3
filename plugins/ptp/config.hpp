// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/attachment/config.hpp"
#include "cnio/attachment/network.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::ptp {

using attachment::Validation;

// The configuration of one network; keys.hpp has the table for users. Errors, of kFull only: code 7 naming the key.
Result<attachment::Network> parse_config(const protocol::Request& request, Validation validation = Validation::kFull);

}  // namespace cnio::ptp
