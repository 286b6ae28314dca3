// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

// Texts that stand in the environment and in the configuration.
namespace cnio::protocol {

// The rule of container IDs and network names (CNI 1.1.0, section 1 and 2): such a text is one safe path element.
bool is_identifier(std::string_view text);
inline constexpr char kIdentifierRule[] =
    "must begin with a letter or digit and hold only letters, digits, \"_\", \".\" and \"-\"";

// "1", "0", "true" and "false" in any case; nothing for anything else.
std::optional<bool> parse_flag(std::string text);

}  // namespace cnio::protocol
