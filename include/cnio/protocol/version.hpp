// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cnio/base/result.hpp"

namespace cnio::protocol {

// The released versions of the CNI specification, in order; all are supported.
enum class SpecVersion { k010, k020, k030, k031, k040, k100, k110 };

inline constexpr SpecVersion kLatestVersion = SpecVersion::k110;

// "1.1.0"; the texts of `supported_versions`, oldest first.
std::string_view to_string(SpecVersion version);
// Exact match with a released version; an empty text means 0.1.0, as a configuration without cniVersion does.
std::optional<SpecVersion> parse_version(std::string_view text);
// "0.1.0, 0.2.0, ..." as shown to people.
std::string supported_versions_text();

}  // namespace cnio::protocol
