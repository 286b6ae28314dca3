// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cnio/base/result.hpp"

namespace cnio {

enum class IfTaken : bool { kReplace, kLeave };

// Puts a file of this content (0600) at `path`, as a whole or not at all: it is written as `temporary`, in the same
// folder, where whatever is there goes, and renamed. False if something is there that is to be left.
// Errors: code 5.
Result<bool> put_whole_file(const std::string& path, const std::string& temporary, std::string_view content,
                            IfTaken if_taken = IfTaken::kReplace);

// What is gone already is a success. Errors: code 5.
Status remove_file(const std::string& path);

}  // namespace cnio
