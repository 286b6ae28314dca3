// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/version.hpp"

#include <algorithm>
#include <array>

namespace cnio::protocol {
namespace {

// In the order of SpecVersion.
constexpr std::array<std::string_view, 7> kNames = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

}  // namespace

std::string_view to_string(SpecVersion version) { return kNames[static_cast<size_t>(version)]; }

std::optional<SpecVersion> parse_version(std::string_view text) {
  if (text.empty()) return SpecVersion::k010;
  const auto* const found = std::find(kNames.begin(), kNames.end(), text);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<SpecVersion>(found - kNames.begin());
}

std::string supported_versions_text() {
  std::string text;
  for (const std::string_view name : kNames) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

}  // namespace cnio::protocol
