// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/failures.hpp"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "cnio/base/whole_file.hpp"
#include "cnio/protocol/json.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Failure;
using protocol::Fields;

constexpr int64_t kHighestCode = 999'999;

int64_t number_of(const Fields& fields, std::string_view key) {
  const auto number = fields.integer(key);
  return number.ok() ? number.value().value_or(0) : 0;
}

std::string text_of(const Fields& fields, std::string_view key) {
  auto text = fields.text(key);
  return text.ok() ? std::move(text).value() : std::string();
}

std::optional<Failure> failure_of(const Fields& fields) {
  Failure out;
  out.verb = text_of(fields, "verb");
  out.plugin = text_of(fields, "plugin");
  if (out.verb.empty() || out.plugin.empty()) return std::nullopt;
  out.code = static_cast<unsigned>(std::clamp<int64_t>(number_of(fields, "code"), 0, kHighestCode));
  out.time = number_of(fields, "time");
  out.took_ms = number_of(fields, "tookMs");
  out.network = text_of(fields, "network");
  out.attachment = {text_of(fields, "container"), text_of(fields, "ifname")};
  out.pod = text_of(fields, "pod");
  out.msg = text_of(fields, "msg");
  out.details = text_of(fields, "details");
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
