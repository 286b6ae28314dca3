// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/feature/file_lock.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cnio/base/unique_fd.hpp"

namespace cnio::feature {
namespace {

using Clock = std::chrono::steady_clock;

// True: locked; false: held by another.
Result<bool> try_lock(int fd, const std::string& shown) {
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return Error::sys("lock " + shown, errno);
  }
  return true;
}

// Runs in the child, where nothing but system calls is safe. The child shares the open file with its parent, so the
// lock it waits for becomes the parent's.
[[noreturn]] void wait_in_child(int fd, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  while (flock(fd, LOCK_EX) != 0 && errno == EINTR) {
  }
  _exit(0);
}

// Waits until the other end of the pipe is closed, or for the deadline.
void wait_for_hangup(int pipe_end, Clock::time_point deadline) {
  pollfd end{pipe_end, POLLIN, 0};
  for (;;) {
    // Rounded up: an early wake-up would be a busy loop for the last millisecond.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return;
    if (poll(&end, 1, static_cast<int>(left)) > 0) return;
  }
}

void reap(pid_t child) {
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string seconds_text(std::chrono::milliseconds time) {
  std::string text = std::to_string(time.count() / 1000);
  if (const auto rest = time.count() % 1000; rest != 0) text += "." + std::to_string(1000 + rest).substr(1);
  return text + " s";
}

}  // namespace

// A blocking flock cannot be given a time limit, and a timer signal would change the state of the whole process. So a
// child blocks in it, and its end, or the lack of it, is what we wait for. Only a contended lock costs this.
Status lock_file(int fd, const std::string& shown, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  CNIO_LET(bool locked, try_lock(fd, shown));
  if (locked) return {};

  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Error::sys("pipe for the wait for " + shown, errno);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return Error::sys("fork for the wait for " + shown, errno);
  if (child == 0) wait_in_child(fd, parent);

  writer.reset();  // from here on only the child holds the other end
  wait_for_hangup(reader.get(), deadline);
  kill(child, SIGKILL);
  reap(child);
  // The one place of the decision, whether the child came to its end, failed or was killed while it got the lock.
  CNIO_LET(locked, try_lock(fd, shown));
  if (locked) return {};
  return Error::make(Code::kTryAgain, "lock " + shown + ": still held by another process after " + seconds_text(limit),
                     "`fuser -v " + shown + "` shows who holds it");
}

}  // namespace cnio::feature
