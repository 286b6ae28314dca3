// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// A store that is damaged, full, strange, or locked by somebody else.
#include <array>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugin/host_local_fixture.hpp"

namespace cnio::test {
namespace {

class DamagedStore : public HostTest {
 protected:
  static std::string at(const std::string& name) { return kStore + "/" + name; }
  /// Five addresses.
  static Json small_range() { return host_local_config({"10.1.0.0/29"}); }
};

TEST_F(DamagedStore, OddFilesKeepTheirAddressAndAreNamedWhenTheRangeIsFull) {
  PARITY("D30");
  write_file("/run/test/outside", "c1\r\neth0");
  std::filesystem::create_directories(at("10.1.0.2"));
  std::filesystem::create_symlink("/run/test/outside", at("10.1.0.3"));
  ASSERT_EQ(::mknod(at("10.1.0.4").c_str(), S_IFCHR | 0600, makedev(1, 3)), 0);
  write_file(at("10.1.0.5"), "the printer");
  EXPECT_EQ(first_address(small_range(), pod("c1")), "10.1.0.6/29");
  const std::vector<std::string> words{"5 of 5 reserved", "left alone: 10.1.0.2, 10.1.0.3, 10.1.0.4 and 1 more"};
  EXPECT_TRUE(failed(add(small_range(), pod("c2")), code::kNoAddress, words));
  EXPECT_TRUE(failed(status(small_range()), code::kUnavailable, words));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(small_range(), {}))));
  must_del(small_range(), pod("c1"));
  for (const char* name : {"10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5"}) {
    EXPECT_NE(std::filesystem::symlink_status(at(name)).type(), std::filesystem::file_type::not_found) << name;
  }
  EXPECT_EQ(read_file("/run/test/outside"), "c1\r\neth0");
}

// Opening a device can have effects of its own, so nothing but regular files is opened.
TEST_F(DamagedStore, DevicesAndPipesAreNotEvenOpened) {
  std::filesystem::create_directories(kStore);
  ASSERT_EQ(::mknod(at("10.1.0.2").c_str(), S_IFCHR | 0600, makedev(1, 3)), 0);
  ASSERT_EQ(::mkfifo(at("10.1.0.3").c_str(), 0600), 0);
  ASSERT_EQ(::mknod(at("last_reserved_ip.0").c_str(), S_IFCHR | 0600, makedev(1, 3)), 0);
  write_file(at("lock"), "");
  const int events = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  for (const char* name : {"10.1.0.2", "10.1.0.3", "last_reserved_ip.0"}) {
    ASSERT_GE(::inotify_add_watch(events, at(name).c_str(), IN_OPEN), 0) << name;
  }
  std::array<char, 4096> buffer{};
  const auto any = [&] { return ::read(events, buffer.data(), buffer.size()) > 0; };
  const Json config = with_valid_attachments(small_range(), {{"c1", "eth0"}});
  for (const char* verb : {"ADD", "CHECK", "GC", "STATUS", "DEL"}) {
    EXPECT_TRUE(succeeded(run(plugin_command({"host-local", verb, pod("c1"), config.dump()})))) << verb;
    EXPECT_FALSE(any()) << verb;
  }
  ASSERT_GE(::inotify_add_watch(events, at("lock").c_str(), IN_OPEN), 0);
  must_del(small_range(), pod("c1"));
  EXPECT_TRUE(any()) << "the watch sees nothing";
  ::close(events);
}

TEST_F(DamagedStore, ANetworkFolderThatIsALinkIsNotFollowed) {
  const std::string elsewhere = make_folder("elsewhere");
  write_file(elsewhere + "/10.1.0.2", "c1\r\neth0");
  std::filesystem::create_directories("/var/lib/cni/networks");
  std::filesystem::create_directory_symlink(elsewhere, kStore);
  const Snapshot before = Snapshot::of_tree("/run/test");
  const std::vector<std::string> words{kStore, "is a symbolic link"};
  EXPECT_TRUE(failed(add(small_range(), pod("c2")), code::kIo, words));
  EXPECT_TRUE(failed(check(small_range(), pod("c1")), code::kIo, words));
  EXPECT_TRUE(failed(del(small_range(), pod("c1")), code::kIo, words));
  EXPECT_TRUE(failed(gc(with_valid_attachments(small_range(), {})), code::kIo, words));
  EXPECT_TRUE(failed(status(small_range()), code::kUnavailable, words));
  EXPECT_TRUE(same(before, Snapshot::of_tree("/run/test")));
}

TEST_F(DamagedStore, ADataFolderThatIsALinkIsTheAdministratorsChoice) {
  const std::string elsewhere = make_folder("elsewhere");
  std::filesystem::create_directories("/var/lib/cni");
  std::filesystem::create_directory_symlink(elsewhere, "/var/lib/cni/networks");
  must_add(small_range(), pod("c1"));
  EXPECT_EQ(read_file(elsewhere + "/store/10.1.0.2"), "c1\r\neth0");
}

TEST_F(DamagedStore, ALinkInPlaceOfTheLockIsNotFollowed) {
  std::filesystem::create_directories(kStore);
  std::filesystem::create_symlink("/run/test/made-by-link", at("lock"));
  EXPECT_TRUE(failed(add(small_range(), pod("c1")), code::kIo, {at("lock")}));
  EXPECT_TRUE(failed(status(small_range()), code::kUnavailable, {at("lock")}));
  EXPECT_FALSE(std::filesystem::exists("/run/test/made-by-link"));
}

TEST_F(DamagedStore, TruncatedReservationsKeepTheirAddressUntilGc) {
  write_file(at("10.1.0.2"), "c");
  write_file(at("10.1.0.3"), "c1\r\net");
  write_file(at("10.1.0.4"), "c1\r");
  EXPECT_EQ(first_address(small_range(), pod("c9")), "10.1.0.5/29");
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(small_range(), {{"c9", "eth0"}}))));
  for (const char* name : {"10.1.0.2", "10.1.0.3", "10.1.0.4"}) EXPECT_FALSE(reserved(name)) << name;
  EXPECT_TRUE(reserved("10.1.0.5"));
}

// Whatever stands in the record of the last address, or takes its place: it only says where to begin.
TEST_F(DamagedStore, AnyRecordOfTheLastAddressWillDo) {
  const auto expect_given = [](const std::string& what) {
    EXPECT_EQ(first_address(small_range(), pod("c1")), "10.1.0.2/29") << what;
    must_del(small_range(), pod("c1"));
    std::filesystem::remove_all(at("last_reserved_ip.0"));
  };
  for (const std::string& text : {std::string(), std::string("10.1.0.300"), std::string("10.9.0.9"),
                                  std::string(8, '\0'), std::string("\xff\xfe"), std::string(1U << 20U, 'x')}) {
    write_file(at("last_reserved_ip.0"), text);
    expect_given(text.substr(0, 20));
  }
  std::filesystem::create_directories(at("last_reserved_ip.0/10.1.0.3"));
  expect_given("a folder");
  write_file("/run/test/outside", "10.1.0.4");
  std::filesystem::create_symlink("/run/test/outside", at("last_reserved_ip.0"));
  expect_given("a link");
  EXPECT_EQ(read_file("/run/test/outside"), "10.1.0.4");
  ASSERT_EQ(::mkfifo(at("last_reserved_ip.0").c_str(), 0600), 0);
  expect_given("a pipe");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{AF_UNIX, {}};
  at("last_reserved_ip.0").copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  expect_given("a socket");
  ::close(socket);
}

// A file system of which every block is in use, and then one that has a few left.
TEST_F(DamagedStore, AFullDiskFailsTheAddAndNothingElse) {
  PARITY("T85 D25");
  std::filesystem::create_directories(kStore);
  ASSERT_EQ(::mount("small", kStore.c_str(), "tmpfs", 0, "mode=755,size=64k"), 0);
  must_add(small_range(), pod("before"));
  bool was_refused = false;
  bool was_given = false;
  for (off_t free_space = 0; free_space <= 12 * 1024; free_space += 4096) {
    const int filler = ::open(at("filler").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT_EQ(::fallocate(filler, 0, 0, 64 * 1024 - 2 * 4096 - free_space), 0) << "two blocks are those of `before`";
    ::close(filler);
    const Snapshot before = Snapshot::of_tree(kStore).without_cursors();
    const Outcome outcome = add(small_range(), pod("c1"));
    if (outcome.exit_code == 0) {
      was_given = true;
      must_del(small_range(), pod("c1"));
    } else {
      was_refused = true;
      EXPECT_TRUE(failed(outcome, code::kIo, {kStore, "No space left on device"}));
    }
    EXPECT_TRUE(same(before, Snapshot::of_tree(kStore).without_cursors()));
  }
  EXPECT_TRUE(was_refused && was_given) << "the test did not fill the disk";
  must_del(small_range(), pod("before"));
}

class HeldLock : public HostTest {
 protected:
  HeldLock() {
    must_add(config_, pod("c1"));
    lock_ = ::open((kStore + "/lock").c_str(), O_RDONLY | O_CLOEXEC);
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) throw std::runtime_error("cannot lock the store");
    config_["ipam"]["lockTimeoutSeconds"] = 1;
  }
  ~HeldLock() override { ::close(lock_); }

  Json config_ = host_local_config();
  int lock_ = -1;
};

TEST_F(HeldLock, IsNotWaitedForLongerThanSaid) {
  const std::vector<std::string> words{"lock " + kStore + "/lock: still held by another process after 1 s"};
  std::vector<Child> all;
  for (const char* verb : {"ADD", "CHECK", "DEL", "GC"}) {
    const Json config = with_valid_attachments(config_, {});
    all.emplace_back(plugin_command({"host-local", verb, pod("c1"), config.dump()}));
  }
  for (Child& child : all) EXPECT_TRUE(failed(child.wait(), code::kTryAgain, words));
  EXPECT_TRUE(reserved("10.1.0.2"));
  EXPECT_TRUE(failed(status(config_), code::kUnavailable, words));
}

TEST_F(HeldLock, IsReportedByBridgeWhichLeavesNothing) {
  Json bridge = bridge_config();
  bridge["name"] = config_.at("name");
  bridge["ipam"] = config_.at("ipam");
  const Attachment attachment{"c2", add_netns("c2"), "eth0", ""};
  const Snapshot before = Snapshot::of_host();
  const Snapshot pod_before = Snapshot::of(attachment.netns);
  EXPECT_TRUE(failed(add(bridge, attachment), code::kTryAgain, {kStore + "/lock", "1 s"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(same(pod_before, Snapshot::of(attachment.netns)));
}

TEST_F(HeldLock, ABadLimitIsRefusedButForDel) {
  ::flock(lock_, LOCK_UN);
  for (const char* value : {"0", "-1", "3601", "1.5", "\"1\"", "[]"}) {
    config_["ipam"]["lockTimeoutSeconds"] = Json::parse(value);
    EXPECT_TRUE(failed(add(config_, pod("c2")), code::kConfig, {"\"ipam.lockTimeoutSeconds\""})) << value;
    EXPECT_TRUE(failed(status(config_), code::kConfig, {"\"ipam.lockTimeoutSeconds\""})) << value;
  }
  EXPECT_TRUE(succeeded_silently(del(config_, pod("c1"))));
  EXPECT_FALSE(reserved("10.1.0.2"));
}

}  // namespace
}  // namespace cnio::test
