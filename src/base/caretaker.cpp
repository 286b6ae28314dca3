// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/caretaker.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/pipe.hpp"

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

// Whoever outlasts a crowd has the lock for a moment.
constexpr std::chrono::milliseconds kJoinLimit{100};

HostLockKey crowd_of(uint64_t host) { return {HostLockKey::Purpose::kCrowd, host}; }

// Until nobody of the crowd is there any more, us included, who started it, or patience is at its end: also if whoever
// called us has blocked all signals, see lock_file. Not at once: the next plugin of our list is about to join it, which
// nothing tells yet.
[[noreturn]] void outlast_crowd(uint64_t host) {
  (void)poll(nullptr, 0, Caretaker::kLingerMs);
  if (const auto locks = HostLocks::open(); locks.ok()) {
    (void)locks.value().take(crowd_of(host), LockKind::kAlone, "the crowd",
                             std::chrono::seconds(Caretaker::kPatienceSeconds));
  }
  _exit(0);
}

// In the new process.
[[noreturn]] void take_care(pid_t parent, const Caretaker::Kept& kept, int life, const Crowd* crowd,
                            const std::function<bool()>& work) {
  // With a crowd, whoever started us may have ended by now, or be killed: the work takes longer than they do who wait
  // for its effect, and may not be the last thing to be done.
  if (crowd == nullptr && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)) _exit(1);
  std::vector<int> last = kept.to_the_end;
  last.push_back(life);
  std::vector<int> all = last;
  all.insert(all.end(), kept.for_work.begin(), kept.for_work.end());
  close_all_but(all);
  if (!work()) _exit(1);
  close_all_but(last);
  if (crowd != nullptr) outlast_crowd(crowd->host());
  for (;;) (void)pause();
}

}  // namespace

std::optional<Crowd> Crowd::join(uint64_t host) {
  const auto locks = HostLocks::open();
  if (!locks.ok()) return std::nullopt;
  auto lock = locks.value().take(crowd_of(host), LockKind::kShared, "the crowd", kJoinLimit);
  if (!lock.ok()) return std::nullopt;
  return Crowd(host, std::move(lock).value());
}

Result<Caretaker> Caretaker::start(const Kept& kept, const Crowd* crowd, const std::function<bool()>& work) {
  CNIO_LET(Pipe life, make_pipe());
  // Without anything that is slow to close nobody is held up.
  if (kept.to_the_end.empty()) crowd = nullptr;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return Error::sys("start a process", errno);
  if (pid == 0) take_care(parent, kept, life.write_end.get(), crowd, work);
  return Caretaker(std::move(life.read_end));
}

}  // namespace cnio
