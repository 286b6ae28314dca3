// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cnio::cnioctl {

// Where the members of a JSON text stand, by their paths as messages have them ("plugins[0].ipam.subnet"), regardless
// of case.
class Positions {
 public:
  // REQUIRES: `text` is JSON. Members at great depth, and those behind a great many, are left out.
  explicit Positions(std::string_view text);

  // The line, from 1 on, of the member, or of what it is nearest inside of.
  [[nodiscard]] size_t line_of(std::string path) const;
  // The paths of members that stand in their object more than once.
  [[nodiscard]] const std::vector<std::string>& doubled() const { return doubled_; }

 private:
  friend class Scanner;
  std::map<std::string, size_t> lines_;
  std::vector<std::string> doubled_;
};

}  // namespace cnio::cnioctl
