// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/keys.hpp"

namespace cnio::host_local {

using protocol::Key;
using protocol::KeyType;

inline constexpr Key kSubnetKey = {"subnet", KeyType::kText, "required", "without host bits, at most /30 or /126",
                                   "network"};
inline constexpr Key kRangeStartKey = {"rangeStart", KeyType::kText, "the first after the network's own",
                                       "the first address given out", "address"};
inline constexpr Key kRangeEndKey = {"rangeEnd", KeyType::kText, "the last (IPv4: before broadcast)",
                                     "the last address given out", "address"};
inline constexpr Key kGatewayKey = {"gateway", KeyType::kText, "the first after the network's own",
                                    "of the subnet, or IPv6 link-local; never given to a pod", "address"};

inline constexpr Key kRangeKeys[] = {kSubnetKey, kRangeStartKey, kRangeEndKey, kGatewayKey};

inline constexpr Key kIpamKeys[] = {
    {"type", KeyType::kText, "none", "the plugin's file, which the main plugin calls"},
    {.name = "ranges",
     .type = KeyType::kObjectLists,
     .otherwise = "[]",
     .meaning = "each inner list is a *range set*, which gives the pod one address",
     .members = kRangeKeys},
    {"subnet", KeyType::kText, "none", "one more range set, in front of `ranges`, written without lists", "network"},
    kRangeStartKey,
    kRangeEndKey,
    kGatewayKey,
    {.name = "routes",
     .type = KeyType::kObjects,
     .otherwise = "[]",
     .meaning = "routes for the pod, passed on in the result",
     .members = protocol::kRouteKeys},
    {"dataDir", KeyType::kText, "\"/var/lib/cni/networks\"",
     "where the reservations are kept, in a folder named like the network", "path"},
    {"resolvConf", KeyType::kText, "none",
     "a resolv.conf(5) whose settings become the result's `dns`; a regular file, or links to one", "path"},
    {.name = "exclude",
     .type = KeyType::kTexts,
     .otherwise = "[]",
     .meaning = "never given to a pod, not even on request",
     .values = "list of addresses and networks",
     .ours = true},
    {.name = "reclaim",
     .type = KeyType::kText,
     .otherwise = "\"reboot\"",
     .meaning = "whether addresses of pods that ran before the last boot are given again when the range is full",
     .values = "\"reboot\" or \"never\"",
     .ours = true},
    {.name = "lockTimeoutSeconds",
     .type = KeyType::kInteger,
     .otherwise = "20",
     .meaning = "how long the lock of the reservations is waited for",
     .values = "1 to 3600",
     .ours = true},
};

inline constexpr Key kKeys[] = {
    {.name = "ipam",
     .type = KeyType::kObject,
     .otherwise = "required",
     .meaning = "all that follows, but for what has another place",
     .members = kIpamKeys},
    {.name = "ipRanges",
     .type = KeyType::kObjectLists,
     .otherwise = "[]",
     .meaning = "range sets in front of all others (capability `ipRanges`)",
     .values = "as `ipam.ranges`",
     .places = protocol::kRuntimeConfig,
     .members = kRangeKeys},
    {.name = "ips",
     .type = KeyType::kTexts,
     .otherwise = "[]",
     .meaning = "addresses that the pod shall have, at most one of each range set (capability `ips`)",
     .values = "list of addresses",
     .places = protocol::kRuntimeConfig | protocol::kArgsCni},
    {.name = "IP",
     .type = KeyType::kText,
     .otherwise = "none",
     .meaning = "one more of these",
     .values = "address",
     .places = protocol::kCniArgs},
};

}  // namespace cnio::host_local
