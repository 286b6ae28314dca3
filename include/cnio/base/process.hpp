// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "cnio/base/result.hpp"

namespace cnio {

struct ProcessSpec {
  std::string path;                      // executed as it is: no shell, no search
  std::vector<std::string> args;         // argv[0] included
  std::vector<std::string> environment;  // "NAME=value"
  std::string_view stdin_data;
  size_t output_limit = 1 << 20;  // bytes of stdout, and of stderr; beyond it the process is killed
};

struct ProcessResult {
  int exit_status = 0;  // of a process that exited
  int signal = 0;       // that ended it, or 0
  std::string out;
  std::string err;

  [[nodiscard]] bool success() const { return signal == 0 && exit_status == 0; }
  // "exit status 2", "killed by signal 9".
  [[nodiscard]] std::string how_it_ended() const;
};

// A program that runs. It inherits the working directory and the standard three descriptors, here connected to us, and
// nothing else. It is killed if it is left behind, and when we die. Errors name the path, never the environment.
class RunningProcess {
 public:
  // Errors: code 101 if it cannot be started, with errno (ETXTBSY: code 11).
  static Result<RunningProcess> start(ProcessSpec spec);
  // The same, but stdin stays empty, and open, until feed() or finish(): whoever reads it waits meanwhile.
  // REQUIRES: at most kMaxLateInput bytes of stdin, which live as long.
  static Result<RunningProcess> start_waiting(ProcessSpec spec);
  static constexpr size_t kMaxLateInput = 65'536;  // what a pipe holds, pipe(7)
  RunningProcess(RunningProcess&&) noexcept;
  RunningProcess& operator=(RunningProcess&&) noexcept;
  ~RunningProcess();

  // Errors: code 5; the process is then to be left behind.
  Status feed();
  // Waits for its end, or kills it after `timeout_ms`. To be called once. Errors: code 101 if it writes more than the
  // limit; code 11 if it does not end in time.
  Result<ProcessResult> finish(int timeout_ms);

 private:
  struct State;
  static Result<RunningProcess> start_with(ProcessSpec spec, int stdin_fd);
  explicit RunningProcess(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// Both at once.
Result<ProcessResult> run_process(ProcessSpec spec, int timeout_ms);

// The path of `name` in the first entry of the colon-separated `path_list` that holds a regular file so called (after
// following links) with one of these permission bits; empty if none does. `name` must hold no path separator.
std::string find_file(std::string_view path_list, const std::string& name, mode_t any_of = 0777);
// Likewise, with an execute bit.
std::string find_executable(std::string_view path_list, const std::string& name);

}  // namespace cnio
