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

}  // namespace cnio
