// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

// What can be said on the command line, as plain data, from the tables by which it is parsed: for completions and the
// manual page, which so cannot know less or more than the program.
namespace cnio::cnioctl {

struct OptionWords {
  std::vector<std::string> names = {};  // "-o", "--output"; of what has no dash its one name
  std::string about = {};
  std::vector<std::string> choices = {};  // none: whatever it is
  std::string preset = {};                // what holds without it; empty: nothing
  bool takes_value = false;
  bool many = false;  // may be given several times
  bool required = false;

  // Is the value a file, or a folder?
  [[nodiscard]] bool is_file() const;
};

struct VerbWords {
  std::vector<std::string> path = {};  // {"subnet", "check"}; of the program itself empty
  std::string about = {};
  std::vector<OptionWords> options = {};
  std::vector<OptionWords> things = {};  // what is named without a dash
  std::vector<std::string> verbs = {};   // that may come next

  // "subnet check".
  [[nodiscard]] std::string name() const;
};

// The program first, each verb before its own. Verbs in no group are nobody's.
std::vector<VerbWords> words_of(const CLI::App& app);

}  // namespace cnio::cnioctl
