// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/attachment/config.hpp"
#include "cnio/protocol/keys.hpp"

namespace cnio::ptp {

// Unlike those that can do without addresses.
inline constexpr protocol::Key kIpamKey = {.name = "ipam",
                                           .type = protocol::KeyType::kObject,
                                           .otherwise = "required",
                                           .meaning =
                                               "the IPAM plugin and its keys; it has to give a gateway for "
                                               "each address",
                                           .members = protocol::kIpamTypeKeys};

inline constexpr protocol::Key kKeys[] = {
    attachment::kIpMasqKey, attachment::kIpMasqBackendKey, attachment::kIpMasqExcludeKey, attachment::kIpMasqOnlyKey,
    attachment::kMtuKey,    attachment::kHostIfPrefixKey,  attachment::kDnsKey,           kIpamKey,
};

}  // namespace cnio::ptp
