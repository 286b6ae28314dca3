// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bandwidth/config.hpp"

#include "bandwidth/keys.hpp"

namespace cnio::bandwidth {
namespace {

using protocol::Fields;

constexpr int64_t kMaxBurst = (int64_t{UINT32_MAX} - 1) * 8 + 7;  // bits: bytes that 32 bits hold, as the reference
constexpr int64_t kMaxLatencyMs = 10'000;

struct Names {
  const char* rate;
  const char* burst;
};
constexpr Names kIngress = {kIngressRate.name, kIngressBurst.name};
constexpr Names kEgress = {kEgressRate.name, kEgressBurst.name};

Result<std::optional<Limit>> parse_limit(const Fields& fields, const Names& names) {
  CNIO_LET(const std::optional<int64_t> rate, fields.integer_within(names.rate, 0, INT64_MAX));
  CNIO_LET(const std::optional<int64_t> burst, fields.integer_within(names.burst, 0, kMaxBurst));
  const int64_t bits = rate.value_or(0);
  const int64_t at_once = burst.value_or(0);
  if (bits == 0 && at_once == 0) return std::optional<Limit>();
  if (bits == 0) return fields.fault(names.rate, "is missing: a burst is part of a limit");
  if (at_once == 0) return fields.fault(names.burst, "is missing: a limit needs to say what may come at once");
  if (bits < static_cast<int64_t>(kBitsPerByte)) {
    return fields.fault(names.rate, "must be at least 8 bits a second (got " + std::to_string(bits) + ")");
  }
  return std::optional(Limit{static_cast<uint64_t>(bits), static_cast<uint64_t>(at_once)});
}

Status read_limits(const Fields& fields, Config& config) {
  CNIO_LET(config.ingress, parse_limit(fields, kIngress));
  CNIO_LET(config.egress, parse_limit(fields, kEgress));
  return {};
}

}  // namespace

Result<Config> parse_config(const protocol::Request& request) {
  const Fields fields = request.fields(kKeys);
  CNIO_TRY(protocol::check_common_keys(fields));
  Config config;
  CNIO_LET(const std::optional<int64_t> latency, fields.integer_within("latency", 1, kMaxLatencyMs));
  if (latency) config.latency_ms = static_cast<uint32_t>(*latency);
  CNIO_TRY(read_limits(fields, config));
  if (!config.empty()) return config;
  CNIO_LET(const Fields runtime, fields.at(protocol::kRuntimeConfig));
  CNIO_LET(const Fields of_pod, runtime.object("bandwidth"));
  CNIO_TRY(read_limits(of_pod, config));
  return config;
}

}  // namespace cnio::bandwidth
