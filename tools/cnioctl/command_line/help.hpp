// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/command_line/table.hpp"

namespace cnio::cnioctl {

// "usage: cnioctl gc (--dry-run | --apply FILE) [options]", with a line break. Of no verb: of the program.
std::string usage_line(const CommandLine& all, const Verb* verb);
// It cannot be what was typed: why, and how it can be.
Outcome usage(const CommandLine& all, const Verb* verb, const std::string& wrong);
// What --help says, in lines of at most 80 columns.
std::string help_text(const CommandLine& all, const Verb* verb);

}  // namespace cnio::cnioctl
