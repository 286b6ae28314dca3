// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/keys.hpp"

namespace cnio::static_ipam {

using protocol::Key;
using protocol::KeyType;

inline constexpr Key kAddressKeys[] = {
    {"address", KeyType::kText, "required", "what the pod gets", "address with a prefix length"},
    {"gateway", KeyType::kText, "none", "reached on the link: see the plugin's page", "address"},
};

inline constexpr Key kIpamKeys[] = {
    {"type", KeyType::kText, "none", "the plugin's file, which the main plugin calls"},
    {"addresses", KeyType::kObjects, "[]", "the pod's addresses, in this order", "", kAddressKeys},
    {"routes", KeyType::kObjects, "[]", "routes for the pod, passed on in the result", "", protocol::kRouteKeys},
    {"dns", KeyType::kObject, "{}", "DNS settings, passed on in the result", "", protocol::kDnsKeys},
};

inline constexpr Key kKeys[] = {
    {"ipam", KeyType::kObject, "required", "all that follows, but for what has another place", "", kIpamKeys},
    {"ips",
     {KeyType::kTexts, protocol::kRuntimeConfig | protocol::kArgsCni},
     "[]",
     "in place of all other addresses, without their gateways (capability `ips`)",
     "list of addresses with a prefix length"},
    {"IP",
     {KeyType::kText, protocol::kCniArgs},
     "none",
     "more addresses, behind `ipam.addresses`",
     "addresses with a prefix length, with commas between them"},
    {"GATEWAY",
     {KeyType::kText, protocol::kCniArgs},
     "none",
     "each for the addresses in whose network it is",
     "addresses with commas between them"},
};

}  // namespace cnio::static_ipam
