// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnioctl/network_file.hpp"
#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// A network's file, as lint has read it.
struct SeenFile {
  std::string path;
  std::string name;  // without the folder
  std::string text = {};
  std::optional<NetworkFile> network = {};  // nothing: it could not be read, or is no JSON

  [[nodiscard]] bool ignored() const { return network && network->only_loopback(); }
};

// As libcni orders them.
bool by_name(const SeenFile& a, const SeenFile& b);

// `path` without its folder.
std::string name_of(const std::string& path);
// Is it a folder, and no link to one? Runtimes pass over the former alone.
bool is_folder(const std::string& path);

// Kinds: unreadable, not-json.
void read(SeenFile& file, Report& report);
// The files of a folder that may be networks', not read yet, in no order. A folder that is not there has none.
std::vector<SeenFile> list_folder(const std::string& path, Report& report);

// Has a template left something behind? Kind: placeholder.
void check_placeholder(const SeenFile& file, Report& report);
// What lint_inside says, unless there is something left to be filled in.
void look_inside(const SeenFile& file, Report& report);

}  // namespace cnio::cnioctl
