// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/sandbox_end.hpp"

#include "bridge_fixture.hpp"

namespace cnio::bridge {
namespace {

using attachment::Veth;
using protocol::AddResult;
using test::address_texts;
using test::sysctl;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SandboxEndTest : public AttachmentTest {
 protected:
  SandboxEndTest() : veth_(created()) {}
  Status configure(const std::vector<std::string>& addresses, const std::vector<net::RouteSpec>& routes = {}) {
    AddResult result;
    for (const auto& text : addresses) result.ips.push_back({cidr(text), std::nullopt, std::nullopt});
    CNIO_TRY(attachment::configure_sandbox_end(route(), *sandbox_, veth_, network_of(config_), result, routes));
    return {};
  }
  Veth veth_;
};

TEST_F(SandboxEndTest, GetsAddressesAndRoutesAndIsUp) {
  net::RouteSpec v4;
  v4.dst = cidr("0.0.0.0/0");
  v4.gateway = IpAddr::parse("10.1.0.1");
  net::RouteSpec v6;
  v6.dst = cidr("::/0");
  v6.gateway = IpAddr::parse("fd01::1");
  ASSERT_OK(configure({"10.1.0.5/24", "fd01::5/64"}, {v4, v6}));
  EXPECT_THAT(seen("eth0", pod_).at("flags"), Contains("UP"));
  EXPECT_THAT(seen(veth_.host_end.name).at("flags"), Contains("UP"));
  EXPECT_THAT(address_texts("eth0", pod_), ElementsAre("10.1.0.5/24", "fd01::5/64"));
  EXPECT_EQ(test::routes_to("default", pod_).at(0).at("gateway"), "10.1.0.1");
  EXPECT_EQ(test::routes_to("default", pod_, "-6").at(0).at("gateway"), "fd01::1");
}

TEST_F(SandboxEndTest, Ipv6SettingsAreMadeForIpv6Addresses) {
  PARITY("T36");
  test::set_sysctl("net/ipv6/conf/all/disable_ipv6", "1", pod_);
  ASSERT_OK(configure({"fd01::5/64"}));
  const auto setting = [&](const std::string& name) { return sysctl("net/ipv6/conf/" + name, pod_); };
  EXPECT_EQ(setting("eth0/disable_ipv6"), "0");
  EXPECT_EQ(setting("lo/disable_ipv6"), "0");
  EXPECT_EQ(setting("eth0/keep_addr_on_down"), "1");
  EXPECT_EQ(setting("eth0/accept_dad"), "0");
  EXPECT_EQ(sysctl("net/ipv4/conf/eth0/arp_notify", pod_), "1");
  for (const auto& address : test::addresses("eth0", pod_)) EXPECT_FALSE(address.contains("tentative"));
}

TEST_F(SandboxEndTest, Ipv6IsSwitchedOnForAnIpv6RouteToo) {
  FAULT("D14 IPv6 off");
  test::set_sysctl("net/ipv6/conf/all/disable_ipv6", "1", pod_);
  net::RouteSpec v6;
  v6.dst = cidr("::/0");
  ASSERT_OK(configure({"10.1.0.5/24"}, {v6}));
  EXPECT_EQ(test::routes_to("default", pod_, "-6").size(), 1U);
}

TEST_F(SandboxEndTest, AComfortThatCannotBeSetIsOnlyTold) {
  FAULT("D14 read-only settings");
  test::must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
  test::must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  ::testing::internal::CaptureStderr();
  const Status done = configure({"fd01::5/64"});
  const std::string told = ::testing::internal::GetCapturedStderr();
  test::must_run({"umount", "/proc/sys"});
  EXPECT_OK(done);
  EXPECT_THAT(told, HasSubstr("eth0"));
  EXPECT_THAT(address_texts("eth0", pod_), ElementsAre("fd01::5/64"));
}

TEST_F(SandboxEndTest, ANeedThatCannotBeSetSaysWhatToDo) {
  FAULT("D14 read-only settings");
  test::set_sysctl("net/ipv6/conf/eth0/disable_ipv6", "1", pod_);
  test::must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
  test::must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  const Status done = configure({"fd01::5/64"});
  test::must_run({"umount", "/proc/sys"});
  EXPECT_ERROR(done, Code::kIo, "switch IPv6 on in the sandbox", "disable_ipv6", "Read-only");
  EXPECT_THAT(test::details(done), HasSubstr("runtime"));
}

TEST_F(SandboxEndTest, AnMtuThatIsTooSmallForIpv6IsNamed) {
  FAULT("D14 MTU below 1280");
  ip("link set eth0 mtu 1279", pod_);
  veth_.sandbox_end = net::find_link(sandbox_->route(), "eth0").value().value();
  EXPECT_ERROR(configure({"10.1.0.5/24", "fd01::5/64"}), Code::kKernel, "MTU of interface eth0 is 1279", "1280");
  EXPECT_OK(configure({"10.1.0.5/24"}));
}

TEST_F(SandboxEndTest, Ipv6SettingsStayWithoutIpv6Addresses) {
  test::set_sysctl("net/ipv6/conf/all/disable_ipv6", "1", pod_);
  ASSERT_OK(configure({"10.1.0.5/24"}));
  EXPECT_EQ(sysctl("net/ipv6/conf/eth0/disable_ipv6", pod_), "1");
  EXPECT_EQ(sysctl("net/ipv6/conf/lo/disable_ipv6", pod_), "1");
}

TEST_F(SandboxEndTest, AnAddressOfSomeoneElseIsDetectedIfWanted) {
  PARITY("T37");
  ip("addr add fd01::5/64 dev br0 nodad");
  config_.detect_duplicates = true;
  EXPECT_ERROR(configure({"fd01::5/64"}), Code::kConflict, "fd01::5/64", "duplicate address detection failed");
  EXPECT_EQ(sysctl("net/ipv6/conf/eth0/accept_dad", pod_), "1");
  ip("addr flush dev eth0", pod_);
  EXPECT_OK(configure({"fd01::6/64"}));
}

TEST_F(SandboxEndTest, ARouteThatCannotBeIsNamed) {
  net::RouteSpec route_spec;
  route_spec.dst = cidr("10.0.0.0/8");
  route_spec.gateway = IpAddr::parse("192.0.2.1");
  EXPECT_ERROR(configure({"10.1.0.5/24"}, {route_spec}), Code::kKernel, "add route 10.0.0.0/8 via 192.0.2.1 dev eth0",
               "Nexthop has invalid gateway");
}

}  // namespace
}  // namespace cnio::bridge
