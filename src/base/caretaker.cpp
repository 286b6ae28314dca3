// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/caretaker.hpp"

#include <algorithm>
#include <cerrno>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "pipe.hpp"

namespace cnio {
namespace {

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  int next = 0;
  for (const int fd : kept) {
    if (fd > next) close_descriptors(next, fd - 1);
    next = std::max(next, fd + 1);
  }
  close_descriptors(next);
}

// In the new process.
[[noreturn]] void take_care(pid_t parent, const std::vector<int>& kept, const std::function<bool()>& work) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
  close_all_but(kept);
  if (!work()) _exit(1);
  for (;;) (void)pause();
}

}  // namespace

Result<Caretaker> Caretaker::start(const std::vector<int>& kept, const std::function<bool()>& work) {
  CNIO_LET(Pipe life, make_pipe());
  std::vector<int> all = kept;
  all.push_back(life.write_end.get());
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return Error::sys("start a process", errno);
  if (pid == 0) take_care(parent, all, work);
  return Caretaker(std::move(life.read_end));
}

}  // namespace cnio
