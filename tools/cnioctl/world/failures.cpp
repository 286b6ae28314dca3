// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/failures.hpp"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "cnio/base/whole_file.hpp"
#include "cnio/protocol/json.hpp"

#include "cnioctl/or_default.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Failure;
using protocol::Fields;

constexpr int64_t kHighestCode = 999'999;

int64_t number_of(const Fields& fields, std::string_view key) {
  const auto number = fields.integer(key);
  return number.ok() ? number.value().value_or(0) : 0;
}

std::optional<Failure> failure_of(const Fields& fields) {
  Failure out;
  out.verb = or_default(fields.text("verb"));
  out.plugin = or_default(fields.text("plugin"));
  if (out.verb.empty() || out.plugin.empty()) return std::nullopt;
  out.code = static_cast<unsigned>(std::clamp<int64_t>(number_of(fields, "code"), 0, kHighestCode));
  out.time = number_of(fields, "time");
  out.took_ms = number_of(fields, "tookMs");
  out.network = or_default(fields.text("network"));
  out.attachment = {or_default(fields.text("container")), or_default(fields.text("ifname"))};
  out.pod = or_default(fields.text("pod"));
  out.msg = or_default(fields.text("msg"));
  out.details = or_default(fields.text("details"));
  return out;
}

void understand(std::string_view line, FailureLog& log) {
  const auto json = protocol::parse_json(line);
  if (!json.ok() || !json.value().is_object()) return;
  const Fields fields(json.value(), {}, Code::kDecode);
  auto failure = failure_of(fields);
  if (!failure) return;
  const bool counts = fields.has("count");
  const int64_t count = counts ? std::max<int64_t>(number_of(fields, "count"), 0) : 1;
  log.totals[{failure->verb, failure->plugin, failure->code}] += static_cast<uint64_t>(count);
  if (!counts) log.failures.push_back(std::move(*failure));
}

}  // namespace

FailureLog parse_failures(std::string_view text) {
  FailureLog log;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    understand(text.substr(0, end), log);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return log;
}

FailureLog read_failures(Report& report) {
  const auto text = read_own_file(protocol::kFailures, 2 * protocol::kMostFailures);
  if (!text.ok()) report.blind(protocol::kFailures, text.error());
  return text.ok() && text.value() ? parse_failures(*text.value()) : FailureLog();
}

}  // namespace cnio::cnioctl
