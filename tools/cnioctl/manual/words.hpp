// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnioctl/command_line/table.hpp"

// What can be said on the command line, from the table by which it is parsed, as texts: for completions and the manual
// page.
namespace cnio::cnioctl {

struct OptionWords {
  std::vector<std::string> names = {};  // "-o", "--output"; of what has no dash its one name
  std::string about = {};
  std::string value = {};                 // what it is called
  std::vector<std::string> choices = {};  // none: whatever it is
  std::string preset = {};                // what holds without it; empty: nothing
  bool takes_value = false;
  bool is_file = false;  // the value is a file, or a folder
  bool many = false;     // may be given several times
  bool required = false;
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

// The program first, each verb before its own. Hidden verbs are nobody's.
std::vector<VerbWords> words_of(const CommandLine& all);

}  // namespace cnio::cnioctl
