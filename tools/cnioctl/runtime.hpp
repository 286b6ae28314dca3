// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::cnioctl {

// The words of a text.
std::set<std::string> words_in(std::string_view text);

// The containers that a runtime knows, running or not. `runtime` is "crictl", "podman", or "auto" for all of these that
// are in PATH. Errors: code 101 if there is none, or one does not answer within 5 seconds: what it knows is then not
// known, and not nothing.
Result<std::set<std::string>> ask_runtime(const std::string& runtime, const protocol::Environment& environment);

}  // namespace cnio::cnioctl
