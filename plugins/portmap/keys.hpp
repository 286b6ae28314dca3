// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/keys.hpp"

namespace cnio::portmap {

using protocol::Key;
using protocol::KeyType;

inline constexpr Key kMappingKeys[] = {
    {"hostPort", KeyType::kInteger, "required", "the port of the host", "1 to 65535"},
    {"containerPort", KeyType::kInteger, "required", "the port of the pod that it leads to", "1 to 65535"},
    {"protocol", KeyType::kText, "required", "in any case, or its number (6, 17, 132, 33, 136)",
     "tcp, udp, sctp, dccp or udplite"},
    {"hostIP", KeyType::kText, "all addresses",
     "the host's address that the port is of; `0.0.0.0` is all IPv4 addresses, `::` all IPv6 ones", "address"},
    {"range", ours(KeyType::kInteger), "1",
     "how many ports: `hostPort` and the next ones lead to `containerPort` and the next ones", "1 to 65535"},
};

inline constexpr Key kKeys[] = {
    {"portMappings",
     {KeyType::kObjects, protocol::kRuntimeConfig},
     "[]",
     "the ports (capability `portMappings`)",
     "",
     kMappingKeys},
    {"backend", KeyType::kText, "\"nftables\"", "`nftables` has a table of its own, written by netlink",
     "\"nftables\""},
    {"snat", KeyType::kBoolean, "true",
     "the pod sees the host's address where its answer would not find back: what the pod itself, its subnet or "
     "127.0.0.1 sends to the port. Without it these cannot use the port"},
    {"masqAll", KeyType::kBoolean, "false",
     "the pod sees the host's address in place of every client's; with `snat` only"},
    {"markMasqBit", KeyType::kInteger, "13", "bit of the mark of what is to be masqueraded; `nftables` needs none",
     "0 to 31"},
    {"externalSetMarkChain", KeyType::kText, "none",
     "a chain of somebody else that sets the mark; not with `markMasqBit`, nor with `nftables`"},
    {"conditionsV4", KeyType::kTexts, "[]",
     "which IPv4 packets use the ports: `ip saddr 10.0.0.0/8`, `ip saddr != { 10.1.2.3, 10.2.0.0/16 }`, `iifname "
     "\"eth0\"`, `meta mark 7`, one after the other",
     "list of words of nft"},
    {"conditionsV6", KeyType::kTexts, "[]", "the same for IPv6: `ip6 saddr fd00::/8`", "list of words of nft"},
};

}  // namespace cnio::portmap
