// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnioctl/command_line/table.hpp"

// What is said to somebody who has typed what cannot be.
namespace cnio::cnioctl {

std::string no_such_verb(const CommandLine& all, const Verb* above, const std::string& word);
// Of a word for which the options have no place: it is none of them, or misses its value, or has one too many.
std::string bad_option(const std::vector<const Option*>& options, const std::string& word);
std::string not_a_choice(const Option& option, const std::string& value);

// What is missing, or excludes each other, of what a verb takes; empty: nothing.
std::string unmet_need(const std::vector<const Option*>& options, const std::vector<const Option*>& given);

}  // namespace cnio::cnioctl
