// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/sysctl.hpp"

#include <cerrno>
#include <string>

#include "cnio/net/netns.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::sysctl;

class SysctlTest : public test::NetTest {};

TEST_F(SysctlTest, IsReadWithoutItsNewline) {
  test::set_sysctl("net/ipv4/ip_forward", "1");
  EXPECT_EQ(read_sysctl("ipv4/ip_forward").value(), "1");
}

TEST_F(SysctlTest, IsWritten) {
  for (const char* value : {"1", "0", "0"}) {
    const auto written = write_sysctl("ipv4/ip_forward", value);
    ASSERT_OK(written);
    EXPECT_TRUE(written.value());
    EXPECT_EQ(sysctl("net/ipv4/ip_forward"), value);
  }
}

// Dots separate the parts of a sysctl's name; in a path they are part of the interface's.
TEST_F(SysctlTest, OfAnInterfaceWithDotsInItsName) {
  ip("link add eth0.100 type veth peer name v1");
  const LinkSetting setting{Family::kIpv4, "eth0.100", "arp_notify"};
  EXPECT_EQ(to_string(setting), "net.ipv4.conf.eth0/100.arp_notify");
  const auto written = write_sysctl(setting, "1");
  ASSERT_OK(written);
  EXPECT_TRUE(written.value());
  EXPECT_EQ(sysctl("net/ipv4/conf/eth0.100/arp_notify"), "1");
  EXPECT_EQ(read_sysctl({Family::kIpv6, "eth0.100", "accept_ra"}).value(), sysctl("net/ipv6/conf/eth0.100/accept_ra"));
}

// No name of an interface leads to the settings of all, nor out of them.
TEST_F(SysctlTest, OfAnInterfaceWithANameThatMeansMore) {
  FAULT("A1 interface named default");
  const auto accept_ra = [](const std::string& of) { return sysctl("net/ipv6/conf/" + of + "/accept_ra"); };
  test::set_sysctl("net/ipv6/route/gc_timeout", "60");
  for (const char* name : {"all", "default"})
    test::set_sysctl("net/ipv6/conf/" + std::string(name) + "/accept_ra", "1");
  for (const char* name : {"all", "default", "", ".", "..", "../conf/all", "all/", "./default", "lo/../all"}) {
    const LinkSetting setting{Family::kIpv6, name, "accept_ra"};
    const auto written = write_sysctl(setting, "0");
    ASSERT_OK(written) << name;
    EXPECT_FALSE(written.value()) << name;
    EXPECT_FALSE(change_sysctl(setting, "0").value()) << name;
    EXPECT_FALSE(read_sysctl(setting).value()) << name;
  }
  EXPECT_FALSE(change_sysctl({Family::kIpv6, "../route", "gc_timeout"}, "5").value());
  EXPECT_EQ(accept_ra("all") + accept_ra("default") + sysctl("net/ipv6/route/gc_timeout"), "1160");
}

TEST_F(SysctlTest, ThatTheKernelDoesNotHaveIsAnAnswer) {
  const auto value = read_sysctl("ipv6/conf/none/accept_ra");
  ASSERT_OK(value);
  EXPECT_FALSE(value.value());
  const auto written = write_sysctl("ipv6/conf/none/accept_ra", "0");
  ASSERT_OK(written);
  EXPECT_FALSE(written.value());
}

TEST_F(SysctlTest, ARefusedValueIsAnErrorThatNamesThePath) {
  const auto written = write_sysctl("ipv4/ip_forward", "on");
  EXPECT_ERROR(written, Code::kIo, "/proc/sys/net/ipv4/ip_forward: Invalid argument");
  EXPECT_EQ(written.error().errnum(), EINVAL);
}

TEST_F(SysctlTest, BelongsToTheNamespaceOfTheThread) {
  const std::string pod = test::add_netns("pod");
  const auto netns = Namespace::open(pod);
  ASSERT_OK(netns);
  test::set_sysctl("net/ipv4/ip_forward", "0");
  test::set_sysctl("net/ipv4/ip_forward", "0", pod);
  EXPECT_OK(netns.value().run([]() -> Status {
    CNIO_TRY(write_sysctl("ipv4/ip_forward", "1"));
    return {};
  }));
  EXPECT_EQ(sysctl("net/ipv4/ip_forward", pod), "1");
  EXPECT_EQ(sysctl("net/ipv4/ip_forward"), "0");
}

// A runtime in a container has its own /proc/sys read-only: what is right already needs no writing.
TEST_F(SysctlTest, ThatIsReadOnlyButRightIsFine) {
  test::set_sysctl("net/ipv4/ip_forward", "1");
  test::must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
  test::must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  const auto same = write_sysctl("ipv4/ip_forward", "1");
  const auto other = write_sysctl("ipv4/ip_forward", "0");
  test::must_run({"umount", "/proc/sys"});
  EXPECT_OK(same);
  EXPECT_ERROR(other, Code::kIo, "/proc/sys/net/ipv4/ip_forward: Read-only file system");
}

TEST_F(SysctlTest, StaysOpenForReadingAndWriting) {
  test::set_sysctl("net/core/somaxconn", "55");
  const auto opened = OpenSysctl::open("core/somaxconn");
  ASSERT_OK(opened);
  ASSERT_TRUE(opened.value());
  EXPECT_EQ(opened.value()->read().value(), "55");
  EXPECT_OK(opened.value()->write("66"));
  EXPECT_EQ(sysctl("net/core/somaxconn"), "66");
  EXPECT_EQ(opened.value()->read().value(), "66");
  const Status refused = opened.value()->write("x");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().errnum(), EINVAL);
  EXPECT_EQ(opened.value()->read().value(), "66");
}

TEST_F(SysctlTest, ThatIsNotThereOrCannotBeWrittenIsTold) {
  for (const char* none : {"core/no_such", "core/somaxconn/x", "no/such"}) {
    const auto opened = OpenSysctl::open(none);
    ASSERT_OK(opened);
    EXPECT_FALSE(opened.value()) << none;
  }
  const auto folder = OpenSysctl::open("ipv4/conf");
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.error().errnum(), EISDIR);
  const auto read_only = OpenSysctl::open("ipv4/tcp_available_congestion_control");
  ASSERT_FALSE(read_only.ok());
  EXPECT_EQ(read_only.error().errnum(), EACCES);
}

TEST_F(SysctlTest, OfAnyLengthIsReadAsAWhole) {
  for (const int ports : {10, 52, 500}) {
    std::string list;
    for (int port = 0; port < ports; ++port) {
      list.append(list.empty() ? "" : ",").append(std::to_string(10000 + 2 * port));  // neighbours would be a range
    }
    const auto opened = OpenSysctl::open("ipv4/ip_local_reserved_ports");
    ASSERT_OK(opened);
    ASSERT_OK(opened.value()->write(list));
    EXPECT_EQ(opened.value()->read().value(), list);
    EXPECT_EQ(read_sysctl("ipv4/ip_local_reserved_ports").value(), list);
  }
}

TEST_F(SysctlTest, ThatCanOnlyBeWrittenHasNoValue) {
  const auto opened = OpenSysctl::open("ipv4/route/flush");
  ASSERT_OK(opened);
  ASSERT_TRUE(opened.value());
  EXPECT_EQ(opened.value()->read().value(), std::nullopt);
  EXPECT_OK(opened.value()->write("1"));
}

TEST(SameSetting, IsWhatTheKernelUnderstands) {
  PARITY("T-U08 U3");
  for (const auto& [a, b] : {std::pair("1", "1"),
                             {"1024 65000", "1024\t65000"},
                             {" 7\n", "007"},
                             {"0x10", "16"},
                             {"010", "8"},
                             {"cubic", "cubic"},
                             {"-1", "-1"},
                             {"", " "}}) {
    EXPECT_TRUE(same_setting(a, b)) << a;
    EXPECT_TRUE(same_setting(b, a)) << a;
  }
  for (const auto& [a, b] : {std::pair("1", "2"),
                             {"1", "1 2"},
                             {"1 2", "2 1"},
                             {"cubic", "reno"},
                             {"1", ""},
                             {"1", "1x"},
                             {"99999999999999999999", "99999999999999999998"}}) {
    EXPECT_FALSE(same_setting(a, b)) << a;
    EXPECT_FALSE(same_setting(b, a)) << a;
  }
}

}  // namespace
}  // namespace cnio::net
