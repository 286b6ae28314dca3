// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/unique_fd.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/host.hpp"
#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio {
namespace {

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

UniqueFd null_device() { return UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC)); }

TEST(UniqueFd, ClosesItsDescriptor) {
  int fd = -1;
  {
    const UniqueFd owner = null_device();
    fd = owner.get();
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, MovesOwnership) {
  UniqueFd first = null_device();
  const int fd = first.get();
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): that is the subject
  EXPECT_EQ(second.get(), fd);
  UniqueFd third = null_device();
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_EQ(third.get(), fd);
  EXPECT_TRUE(is_open(fd));
  UniqueFd& same = third;
  third = std::move(same);
  EXPECT_TRUE(is_open(fd));
}

TEST(UniqueFd, GivesItsDescriptorAway) {
  UniqueFd owner = null_device();
  const int fd = owner.release();
  EXPECT_FALSE(owner.valid());
  owner.reset();
  EXPECT_TRUE(is_open(fd));
  close(fd);
}

TEST(UniqueFd, ClosingLeavesErrnoAlone) {
  UniqueFd broken(open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(close(broken.get()), 0);  // so that the next close fails
  errno = ENOSPC;
  broken.reset();
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_FALSE(broken.valid());
}

class Files : public ::testing::Test {
 protected:
  test::TempFolder folder_;
};

TEST_F(Files, AreOpenedCloseOnExec) {
  const auto fd = open_file(folder_.at("new"), O_WRONLY | O_CREAT, 0600);
  ASSERT_OK(fd);
  EXPECT_EQ(fcntl(fd.value().get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(folder_.mode("new"), 0600U);
}

TEST_F(Files, AMissingOneIsNamedWithItsErrno) {
  const auto fd = open_file(folder_.at("none"), O_RDONLY);
  EXPECT_ERROR(fd, Code::kIo, "open " + folder_.at("none") + ": No such file or directory");
  EXPECT_EQ(fd.error().errnum(), ENOENT);
}

TEST_F(Files, RelativeToAFolderAreNamedAsTheCallerSays) {
  folder_.write("a", "text");
  const UniqueFd folder(open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_OK(open_file_at(folder.get(), "a", O_RDONLY, 0, "shown/a"));
  EXPECT_ERROR(open_file_at(folder.get(), "b", O_RDONLY, 0, "shown/b"), Code::kIo, "open shown/b");
}

TEST_F(Files, AreReadWholeUpToTheLimit) {
  const std::string text(100'000, 'x');
  folder_.write("big", text);
  folder_.write("empty", "");
  EXPECT_EQ(read_file(folder_.at("big"), 100'000).value(), text);
  EXPECT_EQ(read_file(folder_.at("empty"), 0).value(), "");
  const auto refused = read_file(folder_.at("big"), 99'999);
  EXPECT_ERROR(refused, Code::kIo, folder_.at("big"), "larger than 99999 bytes");
  EXPECT_EQ(refused.error().errnum(), 0);
}

TEST_F(Files, AFolderCannotBeRead) {
  const auto read = read_file(folder_.path(), 100);
  EXPECT_ERROR(read, Code::kIo, "Is a directory");
  EXPECT_EQ(read.error().errnum(), EISDIR);
}

TEST(ReadAll, GathersShortReads) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  ASSERT_EQ(write(out.get(), "ab", 2), 2);
  ASSERT_EQ(write(out.get(), "cd", 2), 2);
  out.reset();
  EXPECT_EQ(read_all(in.get(), 4, "pipe").value(), "abcd");
}

// Whoever else holds the other side may have made it non-blocking.
TEST(NonBlockingPipe, IsWaitedForOnBothSides) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const std::string text(1 << 20, 'x');  // more than a pipe holds
  Status written = Error::make(Code::kInternal, "not run");
  std::thread writer([&] {
    written = write_all(out.get(), text, "pipe");
    out.reset();
  });
  const auto read = read_all(in.get(), text.size(), "pipe");
  writer.join();
  EXPECT_OK(written);
  ASSERT_OK(read);
  EXPECT_TRUE(read.value() == text);
}

// Somebody may have put a pipe where a file is expected, and have it open without a word.
TEST_F(Files, NobodyIsWaitedFor) {
  FAULT("C10 waits");
  const std::string pipe = folder_.at("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const UniqueFd silent(open(pipe.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(silent.valid());
  EXPECT_EQ(read_file(pipe, 100).error().errnum(), EAGAIN);
  const auto end = open_file(pipe, O_RDONLY | O_NONBLOCK);
  ASSERT_OK(end);
  const auto read = read_regular(end.value().get(), 100, pipe);
  ASSERT_OK(read);
  EXPECT_FALSE(read.value().has_value());
}

TEST_F(Files, ThatAreRegularAreReadWholeUpToTheLimit) {
  const auto read = [&](const std::string& path, size_t limit) {
    const auto file = open_file(path, O_RDONLY | O_NONBLOCK);
    EXPECT_OK(file);
    return read_regular(file.value().get(), limit, path);
  };
  const std::string text(100'000, 'x');
  folder_.write("big", text);
  folder_.write("empty", "");
  EXPECT_EQ(read(folder_.at("big"), 100'000).value(), text);
  EXPECT_EQ(read(folder_.at("empty"), 0).value(), "");
  EXPECT_EQ(read(folder_.at("big"), 99'999).error().errnum(), 0);
  // Says that it has 0 bytes.
  EXPECT_EQ(read("/proc/self/comm", 100).value()->back(), '\n');
}

TEST(WriteAll, ReportsAFullDevice) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  const auto written = write_all(full.get(), "x", "stdout");
  EXPECT_ERROR(written, Code::kIo, "write stdout: No space left on device");
  EXPECT_EQ(written.error().errnum(), ENOSPC);
  EXPECT_OK(write_all(full.get(), "", "stdout"));
}

TEST(WriteAll, ReportsAReaderThatIsGone) {
  const auto before = signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[1]);
  close(ends[0]);
  EXPECT_EQ(write_all(out.get(), "x", "stdout").error().errnum(), EPIPE);
  (void)signal(SIGPIPE, before);
}

}  // namespace
}  // namespace cnio
