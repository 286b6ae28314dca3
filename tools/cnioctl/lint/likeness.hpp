// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cnioctl/lint/seen.hpp"

// Whether the files of many nodes say the same, but for what is each node's own: its subnet, and addresses in it.
namespace cnio::cnioctl {

// What a file says of one key.
struct Saying {
  std::string value;    // as JSON; "{}": an object, whose keys have sayings of their own
  std::string name;     // for people: `bridge: key "mtu"`
  std::string place;    // of the key, as Positions has it: "plugins[0].mtu"
  bool silent = false;  // that it differs is said by another
};
// By a path that is the same in all files: plugins are known by their types, so that a list and a single plugin, and
// lists of which one has a plugin more, can be compared. Remarks are left out.
using Sayings = std::map<std::string, Saying>;

// REQUIRES: file.network.
Sayings sayings_of(const SeenFile& file);

// What most files say is right: each that says something else is named, with its line. What no more than half of them
// say is a finding about `folder`. Kind: differs.
void compare_sayings(const std::string& folder, const std::vector<SeenFile>& files, Report& report);

// "a.conf, b.conf, c.conf and 3 more".
std::string list_names(const std::vector<std::string>& names);

}  // namespace cnio::cnioctl
