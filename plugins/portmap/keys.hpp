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
     "how many ports: `hostPort` and the next ones lead to `containerPort` and the next ones; all mappings together: "
     "65535 ports",
     "1 to 65535"},
};

inline constexpr Key kKeys[] = {
    {"portMappings",
     {KeyType::kObjects, protocol::kRuntimeConfig},
     "[]",
     "the ports (capability `portMappings`)",
     "",
     kMappingKeys},
    {"backend", KeyType::kText, "iptables' chains, by netlink",
     "`nftables`: a table of its own, whose cost does not grow; `iptables`: that program. Without it the chains that "
     "`iptables -t nat -S` shows, written without a program unless the host uses the old iptables-legacy",
     "\"nftables\" or \"iptables\""},
    {"snat", KeyType::kBoolean, "true",
     "the pod sees the host's address where its answer would not find back: what the pod itself, its subnet or "
     "127.0.0.1 sends to the port. Without it these cannot use the port"},
    {"masqAll", KeyType::kBoolean, "false",
     "the pod sees the host's address in place of every client's; with `snat` only"},
    {"markMasqBit", KeyType::kInteger, "13",
     "bit of the mark of what is to be masqueraded; the backend `nftables` needs none", "0 to 31"},
    {"externalSetMarkChain", KeyType::kText, "none",
     "a chain of somebody else that sets the mark; not with `markMasqBit`, nor with `nftables`"},
    {"conditionsV4", KeyType::kTexts, "[]",
     "which IPv4 packets use the ports, one word after the other: in iptables' language (`-s`, `10.0.0.0/8`; that "
     "program is then run), or, with the backend `nftables`, in nft's: `ip saddr != { 10.1.2.3, 10.2.0.0/16 }`, "
     "`iifname \"eth0\"`, `meta mark 7`",
     "list of words"},
    {"conditionsV6", KeyType::kTexts, "[]", "the same for IPv6", "list of words"},
};

}  // namespace cnio::portmap
