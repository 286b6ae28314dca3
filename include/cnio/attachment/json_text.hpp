// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cnio::attachment {

// JSON has no place for all bytes that the name of an interface may have: those beyond ASCII, and "%", as %xx.
std::string to_json_text(const std::string& bytes);
// The bytes again; what is no %xx stays as it is.
std::string from_json_text(const std::string& text);

}  // namespace cnio::attachment
