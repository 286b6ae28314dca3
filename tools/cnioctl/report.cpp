// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/report.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "cnio/protocol/json.hpp"

#include "cnioctl/print.hpp"

namespace cnio::cnioctl {
namespace {

constexpr char kBlindKind[] = "unreadable";
constexpr std::array<const char*, 4> kLevels = {"ok", "note", "warning", "error"};

std::string level_text(Level level) { return kLevels.at(static_cast<size_t>(level)); }

std::string line_of(const Finding& finding) {
  std::string line = finding.where + ": " + level_text(finding.level) + ": " + finding.what;
  if (!finding.kind.empty()) line += " [" + finding.kind + "]";
  return shown(line) + "\n";
}

}  // namespace

void Report::blind(std::string where, const Error& error) {
  add({Level::kWarning, std::move(where), error.msg(), kBlindKind});
}

void Report::append(const Report& other) {
  findings_.insert(findings_.end(), other.findings_.begin(), other.findings_.end());
}

Exit Report::exit() const {
  const auto any = [&](auto&& wanted) { return std::any_of(findings_.begin(), findings_.end(), wanted); };
  if (any([](const Finding& each) { return each.level == Level::kError; })) return Exit::kFound;
  return any([](const Finding& each) { return each.kind == kBlindKind; }) ? Exit::kBlind : Exit::kWell;
}

std::string Report::text() const {
  std::string text;
  for (const Finding& finding : findings_) text += line_of(finding);
  return text;
}

std::string Report::json() const {
  protocol::Json list = protocol::Json::array();
  for (const Finding& finding : findings_) {
    list.push_back({{"where", finding.where},
                    {"level", level_text(finding.level)},
                    {"what", finding.what},
                    {"kind", finding.kind}});
  }
  return json_text({{"schema", kSchema}, {"findings", std::move(list)}});
}

Outcome failure(const Error& error, Exit exit) {
  std::string text = "cnioctl: " + error.msg();
  if (!error.details().empty()) text += " (" + error.details() + ")";
  return {exit, {}, shown(text) + "\n"};
}

Outcome outcome_of(const Report& report, bool json) {
  return {report.exit(), json ? report.json() : report.text(), {}};
}

}  // namespace cnio::cnioctl
