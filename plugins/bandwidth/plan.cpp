// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bandwidth/plan.hpp"

#include <algorithm>

namespace cnio::bandwidth {
namespace {

constexpr uint64_t kMillisecondsPerSecond = 1000;
constexpr uint64_t kContainerdsBurst = UINT32_MAX;
constexpr uint64_t kCriosBurst = 34'359'738'359;
constexpr uint64_t kKubeletsBurst = INT32_MAX;
// With less, TCP does not use the rate where it is low: its pauses are longer than the bucket (docs/performance.md).
constexpr uint64_t kChosenMs = 100;
constexpr uint64_t kChosenFrames = 20;
constexpr uint32_t kFrameHeader = 18;  // Ethernet's, with one VLAN tag
// The kernel adds what waits and what comes in 32 bits.
constexpr uint64_t kMaxQueue = INT32_MAX;
// It rounds the time that a bucket takes to fill by less than this share, and then to ticks.
constexpr uint64_t kPrecision = 1'000'000;
constexpr uint32_t kTicks = 2;

uint64_t bytes_in(uint64_t rate, uint64_t ms) {
  return rate / kMillisecondsPerSecond * ms + rate % kMillisecondsPerSecond * ms / kMillisecondsPerSecond;
}

uint32_t fit(uint64_t value, uint64_t most) { return static_cast<uint32_t>(std::min(value, most)); }

// As Go converts on amd64: the last 32 bits.
uint32_t wrapped(double value) { return static_cast<uint32_t>(static_cast<uint64_t>(value)); }

bool is_about(uint32_t a, uint32_t b, uint32_t off) {
  const uint32_t apart = a - b;  // of numbers that count in circles
  return apart <= off || -apart <= off;
}

}  // namespace

bool means_choose(uint64_t burst_bits) {
  return burst_bits == kContainerdsBurst || burst_bits == kCriosBurst || burst_bits == kKubeletsBurst;
}

net::TbfSpec plan_tbf(const Limit& limit, uint32_t mtu, uint32_t latency_ms) {
  const uint64_t frame = uint64_t{mtu} + kFrameHeader;
  const uint64_t rate = limit.rate / kBitsPerByte;
  const uint64_t burst = means_choose(limit.burst) ? std::max(bytes_in(rate, kChosenMs), kChosenFrames * frame)
                                                   : std::max(limit.burst / kBitsPerByte, frame);
  return {.rate = rate, .burst = fit(burst, UINT32_MAX), .limit = fit(bytes_in(rate, latency_ms) + frame, kMaxQueue)};
}

bool is_as_planned(const net::Tbf& found, const net::TbfSpec& planned) {
  const uint64_t ticks = net::ticks_of(planned.rate, planned.burst);
  const auto off = static_cast<uint32_t>(ticks / kPrecision + kTicks);
  return found.rate == planned.rate && found.limit == planned.limit &&
         is_about(found.buffer, static_cast<uint32_t>(ticks), off);
}

// plugins/meta/bandwidth/ifb_creator.go of the reference.
bool is_of_reference(const net::Tbf& found, const Limit& limit) {
  constexpr double kMicroseconds = 1e6;
  constexpr double kTicksPerMicrosecond = 15.625;
  constexpr double kLatency = 25'000;  // microseconds
  const uint64_t rate = limit.rate / kBitsPerByte;
  const auto burst = static_cast<uint32_t>(limit.burst / kBitsPerByte);
  const uint32_t time = wrapped(burst * kMicroseconds / static_cast<double>(rate));
  const uint32_t queue = wrapped(static_cast<double>(rate) * kLatency / kMicroseconds) + burst;
  return found.rate == rate && found.limit == queue && found.buffer == wrapped(time * kTicksPerMicrosecond);
}

}  // namespace cnio::bandwidth
