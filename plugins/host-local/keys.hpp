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
    {"ranges", KeyType::kObjectLists, "[]", "each inner list is a *range set*, which gives the pod one address", "",
     kRangeKeys},
    {"subnet", KeyType::kText, "none", "one more range set, in front of `ranges`, written without lists", "network"},
    kRangeStartKey,
    kRangeEndKey,
    kGatewayKey,
    {"routes", KeyType::kObjects, "[]", "routes for the pod, passed on in the result", "", protocol::kRouteKeys},
    {"dataDir", KeyType::kText, "\"/var/lib/cni/networks\"",
     "where the reservations are kept, in a folder named like the network", "path"},
    {"resolvConf", KeyType::kText, "none",
     "a resolv.conf(5) whose settings become the result's `dns`; a regular file, or links to one", "path"},
    {"exclude", ours(KeyType::kTexts), "[]", "never given to a pod, not even on request",
     "list of addresses and networks"},
    {"reclaim", ours(KeyType::kText), "\"reboot\"",
     "whether addresses of pods that ran before the last boot are given again when the range is full",
     "\"reboot\" or \"never\""},
    {"lockTimeoutSeconds", ours(KeyType::kInteger), "20", "how long the lock of the reservations is waited for",
     "1 to 3600"},
};

inline constexpr Key kKeys[] = {
    {"ipam", KeyType::kObject, "required", "all that follows, but for what has another place", "", kIpamKeys},
    {"ipRanges",
     {KeyType::kObjectLists, protocol::kRuntimeConfig},
     "[]",
     "range sets in front of all others (capability `ipRanges`)",
     "as `ipam.ranges`",
     kRangeKeys},
    {"ips",
     {KeyType::kTexts, protocol::kRuntimeConfig | protocol::kArgsCni},
     "[]",
     "addresses that the pod shall have, at most one of each range set (capability `ips`)",
     "list of addresses"},
    {"IP", {KeyType::kText, protocol::kCniArgs}, "none", "one more of these", "address"},
};

}  // namespace cnio::host_local
