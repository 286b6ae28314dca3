// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/attachment/config.hpp"
#include "cnio/protocol/keys.hpp"

namespace cnio::ptp {

inline constexpr protocol::Key kKeys[] = {
    attachment::kIpMasqKey, attachment::kIpMasqBackendKey, attachment::kIpMasqExcludeKey, attachment::kIpMasqOnlyKey,
    attachment::kMtuKey,    attachment::kHostIfPrefixKey,  attachment::kDnsKey,           attachment::kIpamKey,
};

}  // namespace cnio::ptp
