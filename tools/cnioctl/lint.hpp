// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

struct LintOptions {
  std::vector<std::string> places;  // files, and folders of them
  std::string with = {};  // a file that is looked at as if it were in the (one) folder, in place of one of its name; it
                          // is the one that is meant to be used
  bool inside = true;     // not only what two of them quarrel about: inside/inside.hpp
};

// Which file of a folder runtimes use, and what two of them quarrel about. containerd and CRI-O take the first by its
// name, as its bytes are ordered. Kinds: wins (it comes before the one that is meant), shadowed, same-subnet,
// same-bridge, same-name, placeholder, not-json, unreadable.
Report lint(const LintOptions& options);

}  // namespace cnio::cnioctl
