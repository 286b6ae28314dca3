// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/netns.hpp"

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cnio/net/link/bridge.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::link_names;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class NetnsTest : public test::NetTest {
 protected:
  // The inode of the namespace that this thread is in.
  static std::filesystem::path here() { return std::filesystem::read_symlink("/proc/thread-self/ns/net"); }
  static ::testing::AssertionResult is_gone(const std::string& path) {
    const auto found = Namespace::find(path);
    if (!found.ok()) return test::is_ok(found);
    if (found.value()) return ::testing::AssertionFailure() << path << " is a namespace";
    return ::testing::AssertionSuccess();
  }

  const std::filesystem::path home_ = here();
};

TEST_F(NetnsTest, IsFoundByItsPath) {
  const std::string path = test::add_netns("pod");
  const auto found = Namespace::find(path);
  ASSERT_OK(found);
  ASSERT_TRUE(found.value());
  EXPECT_TRUE(found.value()->same_as(Namespace::open(path).value()));
  EXPECT_FALSE(found.value()->same_as(Namespace::current().value()));
  const auto own = Namespace::find("/proc/self/ns/net");
  ASSERT_OK(own);
  EXPECT_TRUE(own.value()->same_as(Namespace::current().value()));
}

TEST_F(NetnsTest, NewOneVanishesWithWhatWasMadeInIt) {
  EXPECT_OK(Namespace::run_in_new([&]() -> Status {
    EXPECT_NE(here(), home_);
    test::must_run({"ip", "link", "add", "br0", "type", "bridge"});
    EXPECT_THAT(link_names(), ElementsAre("br0"));
    return {};
  }));
  EXPECT_EQ(here(), home_);
  EXPECT_TRUE(link_names().empty());
  EXPECT_ERROR(Namespace::run_in_new([] { return Status(Error::make(Code::kKernel, "no")); }), Code::kKernel, "no");
  EXPECT_EQ(here(), home_);
}

TEST_F(NetnsTest, FollowsLinks) {
  const std::string path = test::add_netns("pod");
  std::filesystem::create_symlink(path, "/run/link");
  EXPECT_TRUE(Namespace::open("/run/link").value().same_as(Namespace::open(path).value()));
}

// What an unmounted namespace leaves behind, and whatever else may stand there.
TEST_F(NetnsTest, WhatIsNoNetworkNamespaceIsGone) {
  PARITY("T16 T17 D21");
  test::write_file("/run/plain", "");
  ASSERT_EQ(mkfifo("/run/fifo", 0600), 0);
  std::filesystem::create_directory("/run/folder");
  std::filesystem::create_symlink("/run/nowhere", "/run/dangling");
  std::filesystem::create_symlink("/run/loop", "/run/loop");
  const std::string too_long(5000, '/');
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "/run/socket"};
  const UniqueFd bound(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(bound.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  for (const char* path : {"/run/plain", "/run/fifo", "/run/folder", "/run/dangling", "/run/socket", "/run/missing",
                           "/run/missing/deeper", "/run/plain/deeper", "/run/loop", too_long.c_str(),
                           "/proc/self/ns/mnt", "/proc/self/status", "/dev/null", "", "/proc/4194304/ns/net"}) {
    EXPECT_TRUE(is_gone(path)) << path;
  }
}

TEST_F(NetnsTest, OneThatCannotBeLookedAtIsAnError) {
  const std::string path = test::add_netns("pod");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto found = Namespace::find(path);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_ERROR(found, Code::kIo, "open " + path);
  EXPECT_EQ(found.error().errnum(), EMFILE);
}

TEST_F(NetnsTest, OneThatMustBeThereIsAnErrorOfTheEnvironment) {
  PARITY("T16");
  test::write_file("/run/plain", "");
  std::filesystem::create_symlink("/run/loop", "/run/loop");
  const auto missing = Namespace::open("/run/missing");
  EXPECT_ERROR(missing, Code::kInvalidEnvironment, "CNI_NETNS \"/run/missing\": does not exist");
  EXPECT_THAT(missing.error().details(), HasSubstr("before it calls ADD"));
  EXPECT_ERROR(Namespace::open("/run/plain"), Code::kInvalidEnvironment, "\"/run/plain\": is not a network namespace");
  EXPECT_ERROR(Namespace::open("/run/loop"), Code::kInvalidEnvironment, "\"/run/loop\": Too many levels");
}

TEST_F(NetnsTest, AHeldNamespaceOutlivesItsPath) {
  const auto held = Namespace::open(test::add_netns("pod"));
  ASSERT_OK(held);
  test::delete_netns("pod");
  EXPECT_TRUE(is_gone("/run/netns/pod"));
  EXPECT_OK(held.value().run([] { return Status(); }));
}

TEST_F(NetnsTest, RunWorksInsideAndReturns) {
  const auto pod = Namespace::open(test::add_netns("pod"));
  ASSERT_OK(pod);
  EXPECT_OK(pod.value().run([&]() -> Status {
    EXPECT_TRUE(Namespace::current().value().same_as(pod.value()));
    EXPECT_NE(here(), home_);
    CNIO_LET(Netlink inside, Netlink::open(NETLINK_ROUTE));
    CNIO_LET(const bool created, create_bridge(inside, {.name = "in-pod", .mtu = 0, .mac = MacAddr::random()}));
    EXPECT_TRUE(created);
    return {};
  }));
  EXPECT_EQ(here(), home_);
  EXPECT_THAT(link_names("/run/netns/pod"), ElementsAre("in-pod"));
  EXPECT_TRUE(link_names().empty());
}

TEST_F(NetnsTest, RunReturnsHomeOnErrors) {
  const auto pod = Namespace::open(test::add_netns("pod"));
  ASSERT_OK(pod);
  EXPECT_ERROR(pod.value().run([] { return Status(Error::make(Code::kConflict, "no")); }), Code::kConflict, "no");
  EXPECT_EQ(here(), home_);
}

TEST_F(NetnsTest, RunReturnsHomeOnExceptions) {
  const auto pod = Namespace::open(test::add_netns("pod"));
  ASSERT_OK(pod);
  EXPECT_THROW((void)pod.value().run([]() -> Status { throw std::runtime_error("oops"); }), std::runtime_error);
  EXPECT_EQ(here(), home_);
}

TEST_F(NetnsTest, RunsNest) {
  const auto a = Namespace::open(test::add_netns("a"));
  const auto b = Namespace::open(test::add_netns("b"));
  ASSERT_OK(a);
  ASSERT_OK(b);
  EXPECT_OK(a.value().run([&] {
    const auto in_a = here();
    EXPECT_OK(b.value().run([&] {
      EXPECT_NE(here(), in_a);
      return Status();
    }));
    EXPECT_EQ(here(), in_a);
    return Status();
  }));
  EXPECT_EQ(here(), home_);
}

TEST_F(NetnsTest, ItsNumberIsItsOwn) {
  const auto own = Namespace::own_number();
  ASSERT_OK(own);
  const auto other = Namespace::open(test::add_netns("other"));
  ASSERT_OK(other);
  EXPECT_NE(own.value(), other.value().number());
  EXPECT_OK(other.value().run([&]() -> Status {
    CNIO_LET(const uint64_t here, Namespace::own_number());
    EXPECT_EQ(here, other.value().number());
    return {};
  }));
}

}  // namespace
}  // namespace cnio::net
