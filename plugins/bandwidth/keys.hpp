// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/keys.hpp"

namespace cnio::bandwidth {

using protocol::Key;
using protocol::KeyType;

inline constexpr char kRates[] = "0: no limit, or from 8 on";
inline constexpr char kBursts[] = "0 to 34359738359";
inline constexpr Key kIngressRate = {"ingressRate", KeyType::kInteger, "no limit",
                                     "what the pod may receive, in bits a second", kRates};
inline constexpr Key kIngressBurst = {"ingressBurst", KeyType::kInteger, "required with the rate",
                                      "how much may come at once after a pause, in bits. 4294967295, 34359738359 and "
                                      "2147483647, which runtimes send, mean: the plugin chooses",
                                      kBursts};
inline constexpr Key kEgressRate = {"egressRate", KeyType::kInteger, "no limit",
                                    "what the pod may send, in bits a second", kRates};
inline constexpr Key kEgressBurst = {"egressBurst", KeyType::kInteger, "required with the rate", "as `ingressBurst`",
                                     kBursts};

inline constexpr Key kLimitKeys[] = {kIngressRate, kIngressBurst, kEgressRate, kEgressBurst};

inline constexpr Key kKeys[] = {
    kIngressRate,
    kIngressBurst,
    kEgressRate,
    kEgressBurst,
    {"bandwidth",
     {KeyType::kObject, protocol::kRuntimeConfig},
     "none",
     "the pod's limits (capability `bandwidth`). They count unless the configuration itself has a limit",
     "",
     kLimitKeys},
    {"latency", ours(KeyType::kInteger), "25",
     "how long a packet may wait for its turn, in milliseconds; what would have to wait longer is dropped",
     "1 to 10000"},
};

}  // namespace cnio::bandwidth
