// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace cnio::cnioctl {

// Which of those that are offered somebody may have meant who wrote `word`: at most one letter in three is wrong, and
// of none fewer. Capitals or not is the same.
class Nearest {
 public:
  explicit Nearest(std::string_view word);
  void offer(std::string_view candidate);
  // Empty: none.
  [[nodiscard]] const std::string& found() const { return found_; }

 private:
  std::string word_;
  std::string found_;
  size_t least_;  // that many wrong letters are too many
};

}  // namespace cnio::cnioctl
