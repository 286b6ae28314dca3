// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace cnio::test {

/// Takes the process into the namespace of that path; empty: it stays.
inline bool enter(const std::string& netns) {
  if (netns.empty()) return true;
  const int fd = ::open(netns.c_str(), O_RDONLY | O_CLOEXEC);
  return fd >= 0 && ::setns(fd, CLONE_NEWNET) == 0;
}

/// Runs the work in a child that lives in the namespace; true if it returned true.
template <typename Work>
bool in_netns(const std::string& netns, Work work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(enter(netns) && work() ? 0 : 1);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace cnio::test
