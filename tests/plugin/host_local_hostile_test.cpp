// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What somebody does to a store, or with it, so that others wait, lose their addresses, or cannot give them back.
#include <array>
#include <csignal>
#include <fcntl.h>
#include <set>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "plugin/host_local_fixture.hpp"

namespace cnio::test {
namespace {

std::string at(const std::string& name) { return kStore + "/" + name; }

/// Names of the reservations that are opened in the store.
class Opened {
 public:
  Opened() : events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (::inotify_add_watch(events_, kStore.c_str(), IN_OPEN) < 0) throw std::runtime_error("cannot watch the store");
  }
  ~Opened() { ::close(events_); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  std::vector<std::string> reservations() {
    std::vector<std::string> names;
    alignas(inotify_event) std::array<char, 65536> buffer{};
    for (ssize_t size = 0; (size = ::read(events_, buffer.data(), buffer.size())) > 0;) {
      for (ssize_t offset = 0; offset < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + offset);
        const std::string name(event->len == 0 ? "" : static_cast<const char*>(event->name));
        if (name.starts_with("10.")) names.push_back(name);
        offset += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
    return names;
  }

 private:
  int events_;
};

class FullRange : public HostTest {
 protected:
  /// 125 addresses, taken by others.
  FullRange() {
    for (int i = 2; i <= 126; ++i) write_file(at("10.1.0." + std::to_string(i)), "c" + std::to_string(i) + "\r\neth0");
    EXPECT_TRUE(failed(add(config_, pod("first")), code::kNoAddress, {"125 of 125 reserved"}));  // reads all of them
  }

  Json config_ = host_local_config({"10.1.0.0/25"});
};

TEST_F(FullRange, AFailingAddReadsNoReservation) {
  FAULT("B9 starving");
  Opened opened;
  for (const char* ranges : {"10.1.0.0/25", "10.1.0.0/26"}) {
    EXPECT_TRUE(failed(add(host_local_config({ranges}), pod("new")), code::kNoAddress, {ranges}));
  }
  EXPECT_TRUE(opened.reservations().empty());
  config_["ipam"]["reclaim"] = "never";
  EXPECT_TRUE(failed(add(config_, pod("new")), code::kNoAddress, {"125 of 125 reserved"}));
  EXPECT_TRUE(opened.reservations().empty());
  must_del(config_, pod("c9"));
  EXPECT_EQ(opened.reservations(), std::vector<std::string>{"10.1.0.9"}) << "or the watch sees nothing";
}

TEST_F(FullRange, ARequestForATakenAddressReadsThatOne) {
  FAULT("B9 starving");
  Opened opened;
  EXPECT_TRUE(failed(add(config_, pod("new", "eth0", "IP=10.1.0.7")), code::kNoAddress, {"10.1.0.7", "c7/eth0"}));
  for (const std::string& name : opened.reservations()) EXPECT_EQ(name, "10.1.0.7");
}

TEST_F(FullRange, StatusReadsNoReservation) {
  FAULT("B9 starving");
  Opened opened;
  EXPECT_TRUE(failed(status(config_), code::kUnavailable, {"125 of 125 reserved"}));
  EXPECT_TRUE(opened.reservations().empty());
}

TEST_F(FullRange, WhatIsNoAttachmentsIsStillNamed) {
  for (const char* name : {"10.1.0.5", "10.1.0.77"}) {
    std::filesystem::remove(at(name));
    write_file(at(name), "the printer");
  }
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_TRUE(failed(add(config_, pod("late")), code::kNoAddress, {"left alone: 10.1.0.5, 10.1.0.77"}));
    EXPECT_TRUE(failed(status(config_), code::kUnavailable, {"left alone: 10.1.0.5, 10.1.0.77"}));
  }
}

TEST_F(FullRange, WithoutAPlaceForTheIndexEachIsReadOnce) {
  FAULT("B9 starving");
  std::filesystem::remove_all("/run/cnio");
  write_file("/run/cnio", "in the way");
  Opened opened;
  for (const char* reclaim : {"reboot", "never"}) {
    config_["ipam"]["reclaim"] = reclaim;
    EXPECT_TRUE(failed(add(config_, pod("new")), code::kNoAddress, {"125 of 125 reserved"}));
    EXPECT_EQ(opened.reservations().size(), 125U);
  }
}

TEST_F(FullRange, DelsGetTheirTurn) {
  FAULT("B9 starving");
  config_["ipam"]["lockTimeoutSeconds"] = 20;
  std::vector<Child> failing;
  for (int i = 0; i < 40; ++i) {
    failing.emplace_back(plugin_command({"host-local", "ADD", pod("new" + std::to_string(i)), config_.dump()}));
  }
  for (int i = 10; i < 20; ++i) must_del(config_, pod("c" + std::to_string(i)));
  for (Child& child : failing) {
    const Outcome outcome = child.wait();
    EXPECT_TRUE(outcome.exit_code == 0 || failed(outcome, code::kNoAddress)) << describe(outcome);
  }
}

/// Removes the lock of the store each third time that somebody opens it, in a process of its own.
class LockRemover {
 public:
  LockRemover() {
    int ready[2];
    if (::pipe(ready) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      const int events = ::inotify_init1(IN_CLOEXEC);
      if (::inotify_add_watch(events, kStore.c_str(), IN_OPEN) < 0 || ::write(ready[1], "x", 1) != 1) ::_exit(1);
      remove_for_ever(events);
    }
    ::close(ready[1]);
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) throw std::runtime_error("cannot watch the store");
    ::close(ready[0]);
  }
  ~LockRemover() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  LockRemover(const LockRemover&) = delete;
  LockRemover& operator=(const LockRemover&) = delete;

 private:
  [[noreturn]] static void remove_for_ever(int events) {
    const std::string lock = at("lock");
    alignas(inotify_event) std::array<char, sizeof(inotify_event) + 256> buffer{};
    for (unsigned turn = 0;;) {
      const ssize_t size = ::read(events, buffer.data(), buffer.size());
      if (size < static_cast<ssize_t>(sizeof(inotify_event))) ::_exit(1);
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data());
      if (event->len == 0 || std::string_view(static_cast<const char*>(event->name)) != "lock") continue;
      if (++turn % 3 == 0) ::unlink(lock.c_str());
    }
  }

  pid_t pid_ = -1;
};

class RemovedLock : public HostTest {
 protected:
  RemovedLock() {
    must_add(config_, pod("resident"));
    for (int i = 0; i < 100; ++i) write_file(at("10.1.9." + std::to_string(i)), "old" + std::to_string(i) + "\r\neth0");
    must_add(config_, pod("second"));  // reads all of them
  }

  static std::set<std::string> held() {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(kStore)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("10.")) names.insert(name);
    }
    return names;
  }

  Json config_ = host_local_config({"10.1.0.0/16"});
};

TEST_F(RemovedLock, NobodyCrashesOrLosesAnything) {
  FAULT("C10 lock removed");
  constexpr int kPods = 20;
  const auto before = held();
  const LockRemover remover;
  const int turns = 3 + rounds(12);
  for (int turn = 0; turn < turns; ++turn) {
    std::vector<Child> adding;
    std::vector<Child> deleting;
    for (int i = 0; i < kPods; ++i) {
      const std::string id = std::to_string(turn) + "-" + std::to_string(i);
      adding.emplace_back(plugin_command({"host-local", "ADD", pod(id), config_.dump()}));
      if (turn == 0) continue;
      const std::string former = std::to_string(turn - 1) + "-" + std::to_string(i);
      deleting.emplace_back(plugin_command({"host-local", "DEL", pod(former), config_.dump()}));
    }
    std::set<std::string> given;
    for (Child& child : adding) {
      const Outcome outcome = child.wait();
      ASSERT_TRUE(succeeded(outcome));
      given.insert(addresses_of(Json::parse(outcome.out)).at(0));
    }
    for (Child& child : deleting) ASSERT_TRUE(succeeded_silently(child.wait()));
    ASSERT_EQ(given.size(), static_cast<std::size_t>(kPods)) << "an address was given twice";
    ASSERT_EQ(held().size(), before.size() + kPods) << "turn " << turn;
  }
  for (int i = 0; i < kPods; ++i) must_del(config_, pod(std::to_string(turns - 1) + "-" + std::to_string(i)));
  EXPECT_EQ(held(), before);
}

TEST_F(RemovedLock, WhoWaitsForItTakesTheNewOne) {
  FAULT("C10 lock removed");
  const int held_lock = ::open(at("lock").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(held_lock, LOCK_EX), 0);
  Child waiting(plugin_command({"host-local", "ADD", pod("c1"), config_.dump()}));
  const std::string mark = " " + std::to_string(waiting.pid()) + " ";
  ASSERT_TRUE(happens([&] { return read_file("/proc/locks").find(mark) != std::string::npos; }));
  std::filesystem::remove(at("lock"));
  const int new_lock = ::open(at("lock").c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0700);
  ASSERT_EQ(::flock(new_lock, LOCK_EX), 0);
  const auto before = held();
  ::close(held_lock);
  EXPECT_TRUE(happens([&] { return read_file("/proc/locks").find(mark) != std::string::npos; })) << "it does not wait";
  EXPECT_EQ(held(), before);
  ::close(new_lock);
  EXPECT_TRUE(succeeded(waiting.wait()));
}

TEST_F(RemovedLock, AFolderThatIsRemovedWhileItsLockIsWaitedForIsMadeAgain) {
  FAULT("C10 lock removed");
  const int lock = ::open(at("lock").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  Child adding(plugin_command({"host-local", "ADD", pod("c1"), config_.dump()}));
  Child deleting(plugin_command({"host-local", "DEL", pod("second"), config_.dump()}));
  for (const Child* child : {&adding, &deleting}) {
    const std::string mark = " " + std::to_string(child->pid()) + " ";
    ASSERT_TRUE(happens([&] { return read_file("/proc/locks").find(mark) != std::string::npos; }));
  }
  std::filesystem::remove_all(kStore);
  ::close(lock);
  EXPECT_TRUE(succeeded_silently(deleting.wait()));
  EXPECT_TRUE(succeeded(adding.wait()));
  EXPECT_EQ(held().size(), 1U);
}

// Whoever can open a file can lock it.
TEST_F(HostTest, OthersLoseTheRightToOpenTheLock) {
  FAULT("A1 locks");
  const Json config = host_local_config();
  must_add(config, pod("c1"));
  const auto mode_of_lock = [] {
    struct stat info {};
    EXPECT_EQ(::stat(at("lock").c_str(), &info), 0);
    return info.st_mode & 07777U;
  };
  ASSERT_EQ(::chmod(at("lock").c_str(), 0755), 0);
  EXPECT_TRUE(succeeded_silently(status(config)));
  EXPECT_EQ(mode_of_lock(), 0755U) << "STATUS changes nothing";
  must_add(config, pod("c2"));
  EXPECT_EQ(mode_of_lock(), 0750U);
  ASSERT_EQ(::chmod(at("lock").c_str(), 0666), 0);
  must_del(config, pod("c2"));
  EXPECT_EQ(mode_of_lock(), 0640U);
  ASSERT_EQ(::chown(at("lock").c_str(), 0, 1234), 0);
  must_del(config, pod("c2"));
  EXPECT_EQ(mode_of_lock(), 0600U) << "nor may a group other than root's";
  ASSERT_EQ(::chown(at("lock").c_str(), 1234, 1234), 0);
  ASSERT_EQ(::chmod(at("lock").c_str(), 0644), 0);
  must_del(config, pod("c1"));
  EXPECT_EQ(mode_of_lock(), 0644U) << "of another: not ours to change";
}

TEST_F(HostTest, StatusNamesALockThatSomebodyKeeps) {
  FAULT("A1 status");
  Json config = host_local_config();
  config["ipam"]["lockTimeoutSeconds"] = 1;
  must_add(config, pod("c1"));
  const int lock = ::open(at("lock").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0);
  const std::vector<std::string> words{"lock " + at("lock") + ": still held by another process after 1 s", "fuser"};
  EXPECT_TRUE(failed(status(config), code::kUnavailable, words));
  config["ipam"].erase("lockTimeoutSeconds");
  EXPECT_TRUE(failed(status(config), code::kUnavailable, {"after 5 s"}));
  ::close(lock);
  EXPECT_TRUE(succeeded_silently(status(config)));
}

TEST_F(HostTest, AResolverFileThatIsNoneIsRefusedAtOnce) {
  FAULT("C10 waits");
  const std::string pipe = make_folder("") + "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int silent = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  std::filesystem::create_symlink(pipe, "/run/test/link");
  Json config = host_local_config();
  for (const std::string& path : {pipe, std::string("/run/test/link"), std::string("/dev/tty"), std::string("/run")}) {
    config["ipam"]["resolvConf"] = path;
    EXPECT_TRUE(failed(add(config, pod("c1")), code::kIo, {"ipam.resolvConf", path, "not a regular file"}));
    EXPECT_TRUE(failed(status(config), code::kUnavailable, {"ipam.resolvConf", path, "not a regular file"}));
    EXPECT_TRUE(succeeded_silently(del(config, pod("c1"))));
  }
  ::close(silent);
}

/// Configurations that only DEL and GC put up with.
class BrokenOptions : public HostTest, public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Table, BrokenOptions,
                         ::testing::Values(R"({"ipam": "text"})", R"({"ipam": ["host-local"]})", R"({"ipam": 7})",
                                           R"({"ipam": {"type": 7}})", R"({"ipam": {"dataDir": 7}})",
                                           R"({"ipam": {"dataDir": ["/var/lib/cni/networks"]}})",
                                           R"({"ipam": {"dataDir": "/var/lib\u0000/x"}})",
                                           R"({"ipam": {"ranges": "x"}})", R"({"ipam": {"ranges": [[null]]}})",
                                           R"({"ipam": {"resolvConf": {}}})", R"({"ipam": {"exclude": 1}})",
                                           R"({"ipam": {"lockTimeoutSeconds": "soon"}})",
                                           R"({"ipam": {"reclaim": []}})", R"({"ipam": {"routes": 1}})",
                                           R"({"ipam": {"subnet": {}}})"));

TEST_P(BrokenOptions, DoNotKeepDelAndGcFromReleasing) {
  FAULT("C10 options");
  Json broken = host_local_config();
  broken.merge_patch(Json::parse(GetParam()));
  must_add(host_local_config(), pod("c1"));
  EXPECT_TRUE(succeeded_silently(del(broken, pod("c1"))));
  EXPECT_FALSE(reserved("10.1.0.2"));
  must_add(host_local_config(), pod("c2"));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(broken, {}))));
  EXPECT_FALSE(reserved("10.1.0.3"));
}

TEST_F(HostTest, DelPutsUpWithBrokenInputBesideTheConfigurationOfTheStore) {
  FAULT("C10 options");
  for (const char* patch : {R"({"prevResult": "text"})", R"({"prevResult": []})", R"({"runtimeConfig": 1})",
                            R"({"args": "x"})", R"({"dns": 5})", R"({"capabilities": {"ips": "yes"}})"}) {
    Json broken = host_local_config();
    must_add(broken, pod("c1"));
    broken.merge_patch(Json::parse(patch));
    EXPECT_TRUE(succeeded_silently(del(broken, pod("c1")))) << patch;
    EXPECT_TRUE(std::filesystem::is_empty(kStore) || !reserved("10.1.0.2")) << patch;
    std::filesystem::remove_all(kStore);
  }
  for (const char* args : {"FOO=BAR", "garbage", "IP=ten", ";;", "=", "IgnoreUnknown=perhaps"}) {
    must_add(host_local_config(), pod("c1"));
    EXPECT_TRUE(succeeded_silently(del(host_local_config(), pod("c1", "eth0", args)))) << args;
    EXPECT_FALSE(reserved("10.1.0.2")) << args;
    std::filesystem::remove_all(kStore);
  }
}

TEST_F(HostTest, DelOfANameThatIsNoneIsRefused) {
  for (const char* name : {"..", "../store", "/", "."}) {
    Json config = host_local_config();
    config["name"] = name;
    EXPECT_TRUE(failed(del(config, pod("c1")), code::kConfig, {"name"})) << name;
  }
}

// GC must know who has an address before it takes it away.
TEST_F(HostTest, GcKeepsAndReportsWhatItCannotRead) {
  FAULT("B5 unreadable");
  const Json config = host_local_config();
  must_add(config, pod("c1"));
  must_add(config, pod("gone"));
  // It can be opened, but there is nothing to be read at its beginning.
  ASSERT_EQ(::mount("/proc/self/mem", at("10.1.0.2").c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_TRUE(failed(gc(with_valid_attachments(config, {})), code::kIo, {at("10.1.0.2"), "Input/output error"}));
  ::umount2(at("10.1.0.2").c_str(), MNT_DETACH);
  EXPECT_EQ(read_file(at("10.1.0.2")), "c1\r\neth0");
  EXPECT_FALSE(reserved("10.1.0.3")) << "what it can tell goes";
}

}  // namespace
}  // namespace cnio::test
