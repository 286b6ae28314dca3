// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/host_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio {
namespace {

using std::chrono_literals::operator""ms;

constexpr HostLockKey kPod = {HostLockKey::Purpose::kSandbox, 4026532000};
constexpr HostLockKey kOtherPod = {HostLockKey::Purpose::kSandbox, 4026532001};
constexpr HostLockKey kStore = {HostLockKey::Purpose::kStore, 4026532000};

// Each object opens the file anew, as each process does.
class HostLockTest : public test::HostTest {
 protected:
  static Result<HostLock> alone(const HostLockKey& key) {
    CNIO_LET(const HostLocks locks, HostLocks::open());
    return locks.take(key, LockKind::kAlone, "the sandbox pod", 30ms);
  }
  static Result<bool> is_free(const HostLockKey& key, LockKind kind = LockKind::kAlone) {
    CNIO_LET(const HostLocks locks, HostLocks::open());
    CNIO_LET(const auto lock, locks.try_take(key, kind, "it"));
    return lock.has_value();
  }
  static mode_t mode_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777U;
  }
};

TEST_F(HostLockTest, IsOnesAloneUntilItIsReleased) {
  auto held = alone(kPod);
  ASSERT_OK(held);
  EXPECT_ERROR(alone(kPod), Code::kTryAgain, "lock the sandbox pod: still held by another process after 0.030 s");
  EXPECT_FALSE(is_free(kPod).value());
  EXPECT_FALSE(is_free(kPod, LockKind::kShared).value());
  held = Error::make(Code::kInternal, "released");
  EXPECT_OK(alone(kPod));
}

TEST_F(HostLockTest, IsAboutOneThingOfOneKind) {
  const auto held = alone(kPod);
  ASSERT_OK(held);
  EXPECT_TRUE(is_free(kOtherPod).value());
  EXPECT_TRUE(is_free(kStore).value());
}

TEST_F(HostLockTest, CanBeShared) {
  const auto locks = HostLocks::open();
  ASSERT_OK(locks);
  const auto first = locks.value().take(kPod, LockKind::kShared, "it", 30ms);
  ASSERT_OK(first);
  EXPECT_TRUE(is_free(kPod, LockKind::kShared).value());
  EXPECT_FALSE(is_free(kPod).value());
}

TEST_F(HostLockTest, EndsWithItsHolder) {
  const pid_t child = fork();
  if (child == 0) {
    const auto held = alone(kPod);
    _exit(held.ok() ? 0 : 1);  // without a destructor
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(is_free(kPod).value());
}

TEST_F(HostLockTest, NobodyElseCanOpenWhatIsLocked) {
  FAULT("A1 locks");
  ASSERT_OK(alone(kPod));
  EXPECT_EQ(mode_of("/run/cnio"), 0700U);
  EXPECT_EQ(mode_of("/run/cnio/locks"), 0600U);
}

TEST_F(HostLockTest, TheFolderOfAnEarlierVersionIsClosed) {
  FAULT("A1 locks");
  ASSERT_EQ(mkdir("/run/cnio", 0755), 0);
  ASSERT_OK(make_run_folder());
  EXPECT_EQ(mode_of("/run/cnio"), 0700U);
}

TEST_F(HostLockTest, WhatAnotherUserMadeIsNotBelieved) {
  FAULT("A1 locks");
  ASSERT_EQ(mkdir("/run/cnio", 0700), 0);
  ASSERT_EQ(chown("/run/cnio", 65534, 65534), 0);
  EXPECT_ERROR(make_run_folder(), Code::kIo, "/run/cnio is not of this user alone");
  ASSERT_EQ(chown("/run/cnio", 0, 0), 0);
  test::write_file("/run/cnio/locks", "");
  ASSERT_EQ(chmod("/run/cnio/locks", 0644), 0);
  EXPECT_ERROR(HostLocks::open(), Code::kIo, "/run/cnio/locks is not of this user alone");
}

TEST_F(HostLockTest, ALinkInItsPlaceIsNotFollowed) {
  FAULT("A1 locks");
  test::write_file("/run/elsewhere", "");
  ASSERT_EQ(mkdir("/run/cnio", 0700), 0);
  ASSERT_EQ(symlink("/run/elsewhere", "/run/cnio/locks"), 0);
  EXPECT_ERROR(HostLocks::open(), Code::kIo, "/run/cnio/locks");
}

}  // namespace
}  // namespace cnio
