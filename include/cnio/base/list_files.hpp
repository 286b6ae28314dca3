// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "cnio/base/result.hpp"

namespace cnio {

struct FileName {
  std::string name;
  bool may_be_regular = true;  // false: the folder says that it is something else
};

// Calls `visit` for each name in the open folder, whose offset must be at its beginning and is left at its end. Not by
// fdopendir(3), which costs as many calls again. Errors: code 5.
Status list_files(int folder, const std::string& shown, const std::function<void(FileName)>& visit);

}  // namespace cnio
