// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <sys/types.h>

#include "cnio/base/result.hpp"

namespace cnio {

// The folder that holds `path`; that of "/" is "/" itself, and of a name alone ".".
std::string parent_of(const std::string& path);

// Makes the folder, and its parents, with this mode; one that is there is a success, and so is anything else of that
// name, which shows when it is opened. Errors: code 5.
Status create_folder(const std::string& path, mode_t mode);

// Whether the folder could be made now and a small file be written into it: rights, a file system that is not
// read-only, space and inodes. Leaves no trace. `purpose` says what for ("keep records in"). Errors: code 50.
Status check_folder_writable(const std::string& folder, const std::string& purpose);

// Can what is in the folder be believed, since nobody but this user can put anything there? One that is not there is a
// success, and so is what is no folder, which shows when it is opened. Errors: code 5.
Status check_own_folder(const std::string& path);

// Why a file without a name (O_TMPFILE) could not be opened: because the file system has none (NFS)?
bool lacks_unnamed_files(int errnum);

}  // namespace cnio
