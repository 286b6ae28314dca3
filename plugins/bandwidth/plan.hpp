// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "cnio/net/qdisc.hpp"

#include "bandwidth/config.hpp"

// What a limit comes to on a link: numbers alone, so that ADD and CHECK cannot disagree.
namespace cnio::bandwidth {

// Runtimes that know of no burst send the largest number that they have: containerd 2^32 - 1, CRI-O 8 * 2^32 - 9, old
// kubelets 2^31 - 1. Taken at its word that is a bucket of half a gigabyte, behind which no limit is ever noticed.
bool means_choose(uint64_t burst_bits);

// For packets of a link with this MTU.
net::TbfSpec plan_tbf(const Limit& limit, uint32_t mtu, uint32_t latency_ms);

// Is it what the plan says? Or what the reference makes of the same limit, whose arithmetic overflows 32 bits?
bool is_as_planned(const net::Tbf& found, const net::TbfSpec& planned);
bool is_of_reference(const net::Tbf& found, const Limit& limit);

}  // namespace cnio::bandwidth
