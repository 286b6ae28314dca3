// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Whose router advertisements the host believes, with real ones.
#include <filesystem>

#include "cnio/attachment/forwarding.hpp"
#include "cnio/attachment/routers.hpp"
#include "cnio/net/forwarding.hpp"

#include "bridge/steps.hpp"
#include "net_fixture.hpp"
#include "support/router.hpp"

namespace cnio::bridge {
namespace {

using test::details;
using test::let_hear_router;
using test::routes_to;
using test::sysctl;

class RouterAdvertisementTest : public test::NetTest {
 protected:
  RouterAdvertisementTest() {
    config_.bridge = "br0";
    test::set_sysctl("net/ipv6/conf/all/forwarding", "0");
    for (const char* name : {"all", "default"})
      test::set_sysctl("net/ipv6/conf/" + std::string(name) + "/accept_ra", "1");
  }

  /// A link of the host whose other end is `eth0` of a new namespace, both up; in a bridge if one is named.
  static std::string neighbour(const std::string& name, const std::string& bridge = "") {
    const std::string netns = test::add_netns("at-" + name);
    test::set_sysctl("net/ipv6/conf/default/accept_dad", "0", netns);
    test::set_sysctl("net/ipv6/conf/default/accept_dad", "0");
    ip("link add " + name + " type veth peer name eth0 netns at-" + name);
    if (!bridge.empty()) ip("link set " + name + " master " + bridge);
    ip("link set " + name + " up");
    ip("link set eth0 up", netns);
    return netns;
  }
  static std::string accept_ra(const std::string& link) { return sysctl("net/ipv6/conf/" + link + "/accept_ra"); }
  static bool has_default_route(const std::string& link) {
    for (const auto& route : routes_to("default", "", "-6")) {
      if (route.at("dev") == link) return true;
    }
    return false;
  }
  /// As ADD does.
  Status forward() {
    return net::switch_on_forwarding(route(), Family::kIpv6, [&](const net::Link& link) {
      return attachment::may_believe_routers(route(), link, config_.host_prefix);
    });
  }
  Status adopt() {
    Rollback undo;
    auto bridge = ensure_bridge(route(), config_, undo);
    undo.commit();
    return bridge.ok() ? Status() : Status(bridge.error());
  }

  Config config_;
};

TEST_F(RouterAdvertisementTest, AHostKeepsWhatItHasLearnedAndFollowsOn) {
  FAULT("A3 host's own router");
  const std::string router = neighbour("up0");
  (void)neighbour("up1");  // has heard nothing
  let_hear_router(router, "eth0", "up0");
  ASSERT_TRUE(has_default_route("up0"));
  ASSERT_OK(forward());
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "1");
  EXPECT_TRUE(has_default_route("up0"));
  EXPECT_EQ(accept_ra("up0"), "2");
  EXPECT_EQ(accept_ra("up1"), "1");
  ip("-6 route flush default");
  let_hear_router(router, "eth0", "up0");
  EXPECT_TRUE(has_default_route("up0"));
}

// From a router that is no default router: only the address tells, for it is good for ever, and so is its route.
TEST_F(RouterAdvertisementTest, AnAddressIsLearnedToo) {
  FAULT("A3 host's own address");
  let_hear_router(neighbour("up0"), "eth0", "up0", 0, "2001:db8:7::");
  ASSERT_NE(test::addresses("up0").dump().find("2001:db8:7:"), std::string::npos);
  ASSERT_FALSE(has_default_route("up0"));
  ASSERT_OK(forward());
  EXPECT_EQ(accept_ra("up0"), "2");
}

TEST_F(RouterAdvertisementTest, WhatAnAdministratorHasSetStays) {
  FAULT("A3 administrator's setting");
  const std::string router = neighbour("up0");
  let_hear_router(router, "eth0", "up0");
  test::set_sysctl("net/ipv6/conf/up0/accept_ra", "0");
  ASSERT_OK(forward());
  EXPECT_EQ(accept_ra("up0"), "0");
}

TEST_F(RouterAdvertisementTest, NothingIsTouchedWhereForwardingIsOn) {
  FAULT("A3 forwarding is on");
  const std::string router = neighbour("up0");
  test::set_sysctl("net/ipv6/conf/up0/accept_ra", "2");
  let_hear_router(router, "eth0", "up0");
  test::set_sysctl("net/ipv6/conf/all/forwarding", "1");
  test::set_sysctl("net/ipv6/conf/up0/accept_ra", "1");
  ASSERT_OK(forward());
  EXPECT_EQ(accept_ra("up0"), "1");
}

// A pod that is connected without a bridge, by whatever plugin, and one on a bridge of somebody else.
TEST_F(RouterAdvertisementTest, WhatAPodHasAdvertisedIsNotFollowed) {
  FAULT("A3 pod advertises");
  const std::string pod = neighbour("veth12345678");
  let_hear_router(pod, "eth0", "veth12345678");
  ip("link add other type bridge");
  ip("link set other up");
  const std::string on_bridge = neighbour("vethabcdef01", "other");
  let_hear_router(on_bridge, "eth0", "other");
  ASSERT_TRUE(has_default_route("veth12345678") && has_default_route("other"));
  ASSERT_OK(forward());
  EXPECT_EQ(accept_ra("veth12345678"), "1");
  EXPECT_EQ(accept_ra("other"), "1");
  EXPECT_TRUE(routes_to("default", "", "-6").empty());
}

TEST_F(RouterAdvertisementTest, ForwardingStaysOffWhereFollowingCannotBeKept) {
  FAULT("A3 read-only settings");
  let_hear_router(neighbour("up0"), "eth0", "up0");
  test::must_run({"mount", "--bind", "/proc/sys/net/ipv6/conf/up0", "/proc/sys/net/ipv6/conf/up0"});
  test::must_run({"mount", "-o", "remount,bind,ro", "/proc/sys/net/ipv6/conf/up0"});
  const Status refused = forward();
  test::must_run({"umount", "/proc/sys/net/ipv6/conf/up0"});
  EXPECT_ERROR(refused, Code::kIo, "switch on forwarding", "have up0 follow router advertisements", "Read-only");
  EXPECT_NE(details(refused).find("net.ipv6.conf.up0.accept_ra"), std::string::npos);
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "0");
  EXPECT_TRUE(has_default_route("up0"));
}

// ---- an adopted bridge

class AdoptedBridgeTest : public RouterAdvertisementTest {
 protected:
  AdoptedBridgeTest() {
    ip("link add br0 type bridge");
    ip("link set br0 up");
  }
};

TEST_F(AdoptedBridgeTest, WithoutUplinkItBelievesNoPod) {
  FAULT("A3 CVE-2020-10749");
  const std::string pod = neighbour("veth12345678", "br0");
  for (const char* before : {"1", "2"}) {
    test::set_sysctl("net/ipv6/conf/br0/accept_ra", before);
    ASSERT_OK(adopt());
    EXPECT_EQ(accept_ra("br0"), "0");
    let_hear_router(pod, "eth0", "br0", 1800, "2001:db8:7::");
    EXPECT_FALSE(has_default_route("br0"));
    EXPECT_EQ(test::addresses("br0").dump().find("2001:db8:7:"), std::string::npos);
  }
}

TEST_F(AdoptedBridgeTest, WithUplinkItFollowsItsNetwork) {
  FAULT("A3 CVE-2020-10749");
  const std::string router = neighbour("up0", "br0");
  (void)neighbour("veth12345678", "br0");
  let_hear_router(router, "eth0", "br0");
  ASSERT_OK(adopt());
  EXPECT_EQ(accept_ra("br0"), "1");
  ASSERT_OK(forward());
  EXPECT_EQ(accept_ra("br0"), "2");
  EXPECT_TRUE(has_default_route("br0"));
  ip("-6 route flush default");
  let_hear_router(router, "eth0", "br0");
  EXPECT_TRUE(has_default_route("br0"));
}

TEST_F(AdoptedBridgeTest, PortsOfPodsAndGuestsAreNoUplinks) {
  FAULT("A3 what is an uplink");
  config_.host_prefix = "pod";
  if (std::filesystem::exists("/dev/net/tun")) {  // not in each virtual machine
    ip("tuntap add tap0 mode tap");
    ip("link set tap0 master br0");
  }
  (void)neighbour("pod0", "br0");
  (void)neighbour("wl0", "br0");
  test::must_run({"ip", "link", "set", "wl0", "alias", "cnio n/c1/eth0"});
  ASSERT_OK(adopt());
  EXPECT_EQ(accept_ra("br0"), "0");
}

// A veth whose other end is on the host leads to whatever that is connected to.
TEST_F(AdoptedBridgeTest, AnythingElseIsAnUplink) {
  FAULT("A3 what is an uplink");
  ip("link add veth0 type veth peer name veth1");
  ip("link set veth0 master br0");
  ASSERT_OK(adopt());
  EXPECT_EQ(accept_ra("br0"), "1");
}

TEST_F(AdoptedBridgeTest, WhatCannotBeSetIsTold) {
  FAULT("A3 read-only settings");
  test::must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
  test::must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  ::testing::internal::CaptureStderr();
  const Status adopted = adopt();
  const std::string told = ::testing::internal::GetCapturedStderr();
  test::must_run({"umount", "/proc/sys"});
  EXPECT_OK(adopted);
  EXPECT_NE(told.find("router advertisements of pods on br0"), std::string::npos) << told;
}

}  // namespace
}  // namespace cnio::bridge
