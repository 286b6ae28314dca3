// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/caretaker.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cnio/base/interrupted.hpp"

#include "pipe.hpp"

namespace cnio {
namespace {

constexpr char kProgram[] = "/proc/self/exe";

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  int next = 0;
  for (const int fd : kept) {
    if (fd > next) close_descriptors(next, fd - 1);
    next = std::max(next, fd + 1);
  }
  close_descriptors(next);
}

// The program as an open file of its own, whose lock is nobody else's.
UniqueFd open_program() {
  return UniqueFd(retry_interrupted([] { return open(static_cast<const char*>(kProgram), O_RDONLY | O_CLOEXEC); }));
}

// Until nobody of the crowd is there any more, us included, who started it. The alarm ends it all the same.
[[noreturn]] void outlast_crowd() {
  const UniqueFd program = open_program();
  if (!program.valid()) _exit(0);
  (void)signal(SIGALRM, SIG_DFL);
  (void)alarm(Caretaker::kPatienceSeconds);
  (void)retry_interrupted([&] { return flock(program.get(), LOCK_EX); });
  _exit(0);
}

// In the new process.
[[noreturn]] void take_care(pid_t parent, const Caretaker::Kept& kept, int life, bool outlasts,
                            const std::function<bool()>& work) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
  std::vector<int> last = kept.to_the_end;
  last.push_back(life);
  std::vector<int> all = last;
  all.insert(all.end(), kept.for_work.begin(), kept.for_work.end());
  close_all_but(all);
  // The work takes longer than we do who wait for its effect, and may not be the last thing to be done.
  if (outlasts && (prctl(PR_SET_PDEATHSIG, 0) < 0 || getppid() != parent)) _exit(1);
  if (!work()) _exit(1);
  close_all_but(last);
  if (outlasts) outlast_crowd();
  for (;;) (void)pause();
}

}  // namespace

std::optional<Crowd> Crowd::join() {
  UniqueFd program = open_program();
  if (!program.valid()) return std::nullopt;
  if (retry_interrupted([&] { return flock(program.get(), LOCK_SH | LOCK_NB); }) != 0) return std::nullopt;
  return Crowd(std::move(program));
}

Result<Caretaker> Caretaker::start(const Kept& kept, const Crowd* crowd, const std::function<bool()>& work) {
  CNIO_LET(Pipe life, make_pipe());
  // Without anything that is slow to close nobody is held up.
  const bool outlasts = crowd != nullptr && !kept.to_the_end.empty();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return Error::sys("start a process", errno);
  if (pid == 0) take_care(parent, kept, life.write_end.get(), outlasts, work);
  return Caretaker(std::move(life.read_end));
}

}  // namespace cnio
