// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::bandwidth {

inline constexpr uint64_t kBitsPerByte = 8;  // a lower rate than one byte a second is none

// Of one direction, as the configuration has it.
struct Limit {
  uint64_t rate = 0;   // bits a second, from 8 on
  uint64_t burst = 0;  // bits

  bool operator==(const Limit&) const = default;
};

// A valid configuration; keys.hpp lists its keys.
struct Config {
  std::optional<Limit> ingress;  // what the container receives
  std::optional<Limit> egress;   // what it sends
  uint32_t latency_ms = 25;

  [[nodiscard]] bool empty() const { return !ingress && !egress; }
};

// ADD, CHECK and STATUS need it; DEL and GC read nothing of it. Errors: code 7, naming the key.
Result<Config> parse_config(const protocol::Request& request);

}  // namespace cnio::bandwidth
