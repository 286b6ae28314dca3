// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio::ipam {

// Opens the folder for reading; a symbolic link in its place is not followed, links above it are. Errors: code 5, with
// ENOENT if there is none.
Result<UniqueFd> open_folder(const std::string& path);

// As that of base, of a folder that is no symbolic link. Errors: code 50.
Status check_folder_writable(const std::string& folder);

}  // namespace cnio::ipam
