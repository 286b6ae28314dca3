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
  bool here = false;      // also what they quarrel about with this node: lint/here.hpp
  std::string bin = {};   // where the plugins have to be, as CNI_PATH; empty: /opt/cni/bin with `here`, else anywhere
  bool fleet = false;   // each place is a folder with what each of many nodes has: lint/fleet.hpp. Not with `with` and
                        // `here`
  bool strict = false;  // a warning ends it as an error does
};

// Which file of a folder runtimes use, and what two of them quarrel about. containerd and CRI-O take the first by its
// name, as its bytes are ordered. Kinds: wins (it comes before the one that is meant), shadowed, same-subnet,
// same-bridge, same-name, placeholder, not-json, unreadable; and those of lint_inside, Ground and check_plugins.
// Without `here` no node is looked at.
Report lint(const LintOptions& options);

// The verb: 2 for what cannot be asked together.
Outcome run_lint(const LintOptions& options, bool json);

}  // namespace cnio::cnioctl
