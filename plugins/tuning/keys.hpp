// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/keys.hpp"

namespace cnio::tuning {

using protocol::Key;
using protocol::KeyType;

inline constexpr unsigned kBoth = protocol::kArgsCni | protocol::kConfiguration;

inline constexpr Key kKeys[] = {
    {"sysctl",
     {KeyType::kObject, kBoth},
     "{}",
     "settings below `net.`, written in their order, those of `args.cni` last; `IFNAME` stands for the interface",
     "object of strings"},
    {"mac",
     {KeyType::kText, protocol::kRuntimeConfig | kBoth},
     "none",
     "the interface's MAC address. `args.cni` comes first, even if it is empty; then `runtimeConfig`, `CNI_ARGS`, and "
     "the configuration",
     "MAC address"},
    {"MAC", {KeyType::kText, protocol::kCniArgs}, "none", "the same", "MAC address"},
    {"mtu",
     {KeyType::kInteger, kBoth},
     "0",
     "of the container's end; 0: as it is",
     "0, or 68 to what the interface takes"},
    {"promisc", {KeyType::kBoolean, kBoth}, "false", "the interface takes all frames; `false`: as it is"},
    {"allmulti", {KeyType::kBoolean, kBoth}, "as it is", "the interface takes all multicast frames, or not"},
    {"txQLen", {KeyType::kInteger, kBoth}, "as it is", "packets that its queue holds", "0 to 4294967295"},
    {"dataDir", KeyType::kText, "\"/run/cni/tuning\"", "where the values of before are kept for DEL"},
};

}  // namespace cnio::tuning
