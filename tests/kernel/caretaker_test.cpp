// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/caretaker.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio {
namespace {

constexpr uint64_t kHost = 4026532002;

class CaretakerTest : public test::HostTest {
 protected:
  // Starts one in a process that ends at once, as a plugin does that has nothing left to do.
  static void start_and_end(int slow) {
    const pid_t pid = fork();
    if (pid == 0) {
      const auto crowd = Crowd::join(kHost);
      const auto work = [&] { return write(slow, "x", 1) == 1; };
      const bool started = crowd && Caretaker::start({.for_work = {}, .to_the_end = {slow}}, &*crowd, work).ok();
      _exit(started ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0);
  }
};

// Or it would close what is slow to close, under the lock that the next plugin of the list needs.
TEST_F(CaretakerTest, WithACrowdItWorksThoughWhoStartedItHasEndedBefore) {
  constexpr int kTimes = 200;
  int worked = 0;
  for (int time = 0; time < kTimes; ++time) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd worked_on(ends[0]);
    UniqueFd slow(ends[1]);
    start_and_end(slow.get());
    slow.reset();
    char byte = 0;
    if (read(worked_on.get(), &byte, 1) == 1) ++worked;
  }
  EXPECT_EQ(worked, kTimes);
}

}  // namespace
}  // namespace cnio
