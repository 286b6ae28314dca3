// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/runtime.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "cnio/base/process.hpp"

namespace cnio::cnioctl {
namespace {

constexpr int kPatienceMs = 5'000;
constexpr size_t kMaxAnswer = size_t{8} << 20;
// What tells them where the runtime is.
constexpr std::array<const char*, 5> kVariables = {"PATH", "HOME", "CONTAINER_RUNTIME_ENDPOINT", "XDG_RUNTIME_DIR",
                                                   "CONTAINERS_CONF"};

std::vector<std::string> words_for(const std::string& program) {
  if (program == "crictl") return {program, "pods", "-q"};
  return {program, "ps", "-aq", "--no-trunc"};
}

std::vector<std::string> environment_for(const protocol::Environment& environment) {
  std::vector<std::string> out;
  for (const char* name : kVariables) {
    const std::string value = environment.get(name);
    if (!value.empty()) out.push_back(std::string(name) + "=" + value);
  }
  return out;
}

Result<std::set<std::string>> ask(const std::string& program, const std::string& path,
                                  const protocol::Environment& environment) {
  CNIO_LET(const ProcessResult ended, run_process({.path = path,
                                                   .args = words_for(program),
                                                   .environment = environment_for(environment),
                                                   .stdin_data = {},
                                                   .output_limit = kMaxAnswer},
                                                  kPatienceMs));
  if (ended.success()) return words_in(ended.out);
  return Error::make(Code::kDelegate, program + ": " + ended.how_it_ended(), ended.err);
}

}  // namespace

std::set<std::string> words_in(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::set<std::string> out;
  for (size_t begin = text.find_first_not_of(kBlanks); begin != std::string_view::npos;
       begin = text.find_first_not_of(kBlanks, begin)) {
    const size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    out.emplace(text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

Result<std::set<std::string>> ask_runtime(const std::string& runtime, const protocol::Environment& environment) {
  std::set<std::string> out;
  bool asked = false;
  for (const char* program : {"crictl", "podman"}) {
    if (runtime != "auto" && runtime != program) continue;
    const std::string path = find_executable(environment.get("PATH"), program);
    if (path.empty()) continue;
    CNIO_LET(std::set<std::string> known, ask(program, path, environment));
    out.merge(known);
    asked = true;
  }
  if (asked) return out;
  const std::string which = runtime == "auto" ? "neither crictl nor podman is" : runtime + " is not";
  return Error::make(Code::kDelegate, which + " in PATH").hint("--valid takes a list of containers");
}

}  // namespace cnio::cnioctl
