// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/file_lock.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "cnio/base/unique_fd.hpp"

#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class FileLock : public ::testing::Test {
 protected:
  // Each open file has a lock of its own, also within one process.
  UniqueFd open() const { return UniqueFd(::open(path_.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600)); }

  test::TempFolder folder_;
  std::string path_ = folder_.at("lock");
};

TEST_F(FileLock, ExcludesOthersUntilTheFileIsClosed) {
  UniqueFd mine = open();
  const UniqueFd other = open();
  ASSERT_OK(lock_file(mine.get(), path_, 1s));
  EXPECT_NE(flock(other.get(), LOCK_EX | LOCK_NB), 0);
  mine.reset();
  EXPECT_OK(lock_file(other.get(), path_, 1s));
}

TEST_F(FileLock, GivesUpAfterTheLimitNamingFileAndTime) {
  const UniqueFd holder = open();
  const UniqueFd waiting = open();
  ASSERT_EQ(flock(holder.get(), LOCK_EX), 0);
  EXPECT_ERROR(lock_file(waiting.get(), path_, 60ms), Code::kTryAgain, path_, "0.060 s");
  EXPECT_ERROR(lock_file(waiting.get(), path_, 0ms), Code::kTryAgain, path_, "after 0 s");
}

// Whether the kernel lists the process as one that waits for a lock: "-> FLOCK ADVISORY WRITE <pid>".
bool waits_for_lock(pid_t pid) {
  const auto locks = read_file("/proc/locks", size_t{1} << 20U);
  return locks.ok() &&
         locks.value().find("-> FLOCK  ADVISORY  WRITE " + std::to_string(pid) + " ") != std::string::npos;
}

TEST_F(FileLock, IsTakenAsSoonAsItIsFree) {
  const UniqueFd waiting = open();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t parent = getpid();
  const pid_t holder = fork();
  if (holder == 0) {
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (flock(fd, LOCK_EX) != 0 || write(ready[1], "x", 1) != 1) _exit(1);
    for (int turn = 0; turn < 100'000; ++turn) {
      if (waits_for_lock(parent)) _exit(0);
    }
    _exit(2);  // the lock is free now too, but nobody was seen to wait for it
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_OK(lock_file(waiting.get(), path_, 20s));
  int status = -1;
  ASSERT_EQ(waitpid(holder, &status, 0), holder);
  EXPECT_EQ(status, 0);
  close(ready[0]);
  close(ready[1]);
}

TEST_F(FileLock, PutsSignalStateAndTimerBack) {
  struct sigaction before {};
  before.sa_handler = SIG_IGN;
  struct sigaction original {};
  ASSERT_EQ(sigaction(SIGALRM, &before, &original), 0);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGALRM);
  sigset_t mask;
  ASSERT_EQ(sigprocmask(SIG_BLOCK, &blocked, &mask), 0);
  const itimerval hour{{0, 0}, {3600, 0}};
  ASSERT_EQ(setitimer(ITIMER_REAL, &hour, nullptr), 0);

  const UniqueFd holder = open();
  const UniqueFd waiting = open();
  ASSERT_EQ(flock(holder.get(), LOCK_EX), 0);
  EXPECT_ERROR(lock_file(waiting.get(), path_, 10ms), Code::kTryAgain);

  struct sigaction after {};
  sigaction(SIGALRM, nullptr, &after);
  EXPECT_EQ(after.sa_handler, SIG_IGN);
  sigset_t now;
  sigprocmask(SIG_SETMASK, nullptr, &now);
  EXPECT_EQ(sigismember(&now, SIGALRM), 1);
  itimerval left{};
  getitimer(ITIMER_REAL, &left);
  EXPECT_GT(left.it_value.tv_sec, 3000);
  const itimerval off{};
  setitimer(ITIMER_REAL, &off, nullptr);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  sigaction(SIGALRM, &original, nullptr);
}

TEST_F(FileLock, OfSomethingThatCannotBeLockedIsAnIoError) {
  EXPECT_ERROR(lock_file(-1, "/x/lock", 1s), Code::kIo, "/x/lock");
}

}  // namespace
}  // namespace cnio
