// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cnioctl/command_line/table.hpp"

namespace cnio::cnioctl {

// What a word was, or two.
struct Said {
  const Option* option = nullptr;  // nothing: a thing
  std::string word = {};           // "--output", "--output=x", as it was typed
  std::string value = {};          // "x"; or the thing
};

struct Split {
  std::vector<Said> said = {};
  size_t next = 0;       // the first word that was not looked at
  std::string bad = {};  // an option that is none, or misses its value, or has one too many: behind it nothing was said
  bool is_bad = false;   // there is such a one, of whatever text
};

// Takes words apart by the rules of GNU: --o x, --o=x, -o x, -ox, and things only behind "--". Options are those that
// may be said here. With `first_thing` it stops behind the first thing, as always behind an option that ends.
// An option may be cut short, as getopt allows: whoever does not want that looks at the word.
Split split(const std::vector<const Option*>& options, std::span<const std::string> words, bool first_thing);

}  // namespace cnio::cnioctl
