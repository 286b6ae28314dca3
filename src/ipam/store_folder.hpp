// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio::ipam {

// Opens the folder for reading; a symbolic link in its place is not followed, links above it are. Errors: code 5, with
// ENOENT if there is none.
Result<UniqueFd> open_folder(const std::string& path);

// Whether the folder could be made now and a small file be written into it: rights, a file system that is not
// read-only, space and inodes. Leaves no trace. Errors: code 50.
Status check_folder_writable(const std::string& folder);

// Why a file without a name (O_TMPFILE) could not be opened: because the file system has none (NFS)?
bool lacks_unnamed_files(int errnum);

}  // namespace cnio::ipam
