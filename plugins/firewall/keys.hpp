// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/keys.hpp"

namespace cnio::pod_firewall {

using protocol::Key;
using protocol::KeyType;

inline constexpr Key kKeys[] = {
    {"backend", KeyType::kText, "firewalld if it runs, else iptables",
     "who lets the pod's packets pass: the chains that iptables shows, a zone of firewalld, or *nftables* *, a table "
     "of "
     "our own. Any other value counts as absent, with a note",
     "iptables, firewalld, nftables *"},
    {"iptablesAdminChainName", KeyType::kText, "\"CNI-ADMIN\"",
     "the chain in which an administrator's rules come before the pods'", "up to 28 letters, digits, `_`, `.` and `-`"},
    {"firewalldZone", KeyType::kText, "\"trusted\"", "the zone whose sources the pod's addresses become"},
    {"ingressPolicy", KeyType::kText, "\"open\"",
     "who may talk to the pods of this bridge: *open* anybody, *same-bridge* no pod of another bridge with a policy, "
     "*isolated* no pod of this bridge either",
     "open, same-bridge, isolated"},
};

}  // namespace cnio::pod_firewall
