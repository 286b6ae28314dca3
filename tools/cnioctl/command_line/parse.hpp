// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "cnioctl/command_line/table.hpp"

namespace cnio::cnioctl {

struct Parsed {
  const Verb* verb = nullptr;  // as far as it was understood; nothing: the program
  std::string wrong = {};      // what cannot be, and perhaps what was meant; empty: nothing
  bool ended = false;          // by an option behind which nothing counts: there may be no verb that can run
};

// What the words say, without the program's name, goes into `line`: all of it is checked, and the verb can run, unless
// something is wrong or it has ended. What was typed is quoted in `wrong`. `all` has to outlive the answer.
Parsed parse(const CommandLine& all, std::span<const std::string> words, Line& line);

}  // namespace cnio::cnioctl
