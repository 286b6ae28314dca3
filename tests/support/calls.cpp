// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/calls.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace cnio::test {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char letter : text) out += letter == '\'' ? "'\\''" : std::string(1, letter);
  return out + "'";
}

std::string as_script(const Command& command) {
  std::string script = "#!/bin/sh\n[ $# != 0 ] || exec <\"$0.in\"\nexec env -i";
  for (const auto& [name, value] : command.env) script += " " + name + "=" + quoted(value);
  script += R"( "$@")";
  for (const std::string& word : command.argv) script += " " + quoted(word);
  return script + "\n";
}

}  // namespace

void record_call(const Command& command) {
  static int count = 0;
  const char* folder = std::getenv("CNIO_CALLS");
  const auto verb = command.env.find("CNI_COMMAND");
  if (folder == nullptr || verb == command.env.end()) return;
  const std::filesystem::path program = command.argv.back();
  const std::string name = std::to_string(getpid()) + "-" + std::to_string(++count);
  const auto path = std::filesystem::path(folder) / (name + "-" + program.filename().string() + "-" + verb->second);
  std::ofstream(path) << as_script(command);
  std::ofstream(path.string() + ".in") << command.stdin_text;
  std::filesystem::permissions(path, std::filesystem::perms::owner_exec, std::filesystem::perm_options::add);
}

}  // namespace cnio::test
