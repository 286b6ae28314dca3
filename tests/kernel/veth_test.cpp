// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link/veth.hpp"

#include <cerrno>

#include "cnio/net/link/bridge.hpp"
#include "cnio/net/sandbox.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::Json;
using test::link_names;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const MacAddr kMac = MacAddr::parse("02:00:00:00:00:99").value();

class VethTest : public test::NetTest {
 protected:
  VethTest() : sandbox_(Sandbox::open(test::add_netns("pod")).value()) {}
  VethSpec spec() {
    return {.host_name = "veth0",
            .master = IfIndex::kNone,
            .mtu = 0,
            .sandbox_name = "eth0",
            .sandbox_fd = sandbox_.netns().fd(),
            .sandbox_mac = std::nullopt};
  }
  Sandbox sandbox_;
  const std::string pod_ = "/run/netns/pod";
};

TEST_F(VethTest, IsMadeAcrossNamespacesInOneStep) {
  ASSERT_OK(create_bridge(route(), {.name = "br0", .mac = kMac}));
  VethSpec wanted = spec();
  wanted.master = link("br0").index;
  wanted.mtu = 1400;
  wanted.sandbox_mac = MacAddr::parse("02:00:00:00:00:05");
  ASSERT_OK(create_veth(route(), wanted));

  const Json host = test::find_link("veth0");
  EXPECT_EQ(host.at("master"), "br0");
  EXPECT_EQ(host.at("mtu"), 1400);
  EXPECT_EQ(host.at("txqlen"), 1000);  // D41: not the library's 0
  EXPECT_THAT(host.at("flags"), ::testing::Not(::testing::Contains("UP")));
  const Json pod = test::find_link("eth0", pod_);
  EXPECT_EQ(pod.at("linkinfo").at("info_kind"), "veth");
  EXPECT_EQ(pod.at("mtu"), 1400);
  EXPECT_EQ(pod.at("address"), "02:00:00:00:00:05");
  EXPECT_THAT(pod.at("flags"), ::testing::Not(::testing::Contains("UP")));
  EXPECT_EQ(pod.at("link_index"), host.at("ifindex"));
  EXPECT_EQ(host.at("link_index"), pod.at("ifindex"));
  EXPECT_THAT(link_names(), UnorderedElementsAre("br0", "veth0"));
  EXPECT_THAT(link_names(pod_), ElementsAre("eth0"));
}

TEST_F(VethTest, DefaultsAreTheKernels) {
  ASSERT_OK(create_veth(route(), spec()));
  EXPECT_EQ(test::find_link("veth0").at("mtu"), 1500);
  EXPECT_FALSE(test::find_link("veth0").contains("master"));
  EXPECT_EQ(test::find_link("eth0", pod_).at("mtu"), 1500);
}

// The first link of each namespace has the same index; then kernels before 5.8 did not tell the peer's.
TEST_F(VethTest, EndsOfTheSameIndexKnowEachOther) {
  ASSERT_OK(create_veth(route(), spec()));
  const Link host = link("veth0");
  const auto pod = find_link(sandbox_.route(), "eth0");
  ASSERT_OK(pod);
  ASSERT_TRUE(pod.value());
  ASSERT_EQ(host.index, pod.value()->index);
  EXPECT_EQ(host.peer, pod.value()->index);
  EXPECT_EQ(pod.value()->peer, host.index);
}

TEST_F(VethTest, ATakenNameOnEitherSideIsEexistAndLeavesNothing) {
  ip("link add eth0 type bridge", pod_);
  const Status sandbox_taken = create_veth(route(), spec());
  EXPECT_ERROR(sandbox_taken, Code::kKernel, "create veth pair veth0 - eth0: File exists");
  EXPECT_EQ(sandbox_taken.error().errnum(), EEXIST);
  EXPECT_THAT(link_names(), IsEmpty());

  ip("link add veth0 type bridge");
  VethSpec other = spec();
  other.sandbox_name = "eth1";
  EXPECT_EQ(create_veth(route(), other).error().errnum(), EEXIST);
  EXPECT_THAT(link_names(pod_), ElementsAre("eth0"));
  EXPECT_THAT(link_names(), ElementsAre("veth0"));
}

TEST_F(VethTest, WhatTheKernelRefusesLeavesNothing) {
  VethSpec bad_mac = spec();
  bad_mac.sandbox_mac = MacAddr::parse("01:00:5e:00:00:01");
  EXPECT_ERROR(create_veth(route(), bad_mac), Code::kKernel, "create veth pair");
  VethSpec bad_mtu = spec();
  bad_mtu.mtu = 67;
  EXPECT_ERROR(create_veth(route(), bad_mtu), Code::kKernel, "create veth pair");
  VethSpec bad_master = spec();
  bad_master.master = IfIndex{4711};
  EXPECT_ERROR(create_veth(route(), bad_master), Code::kKernel, "create veth pair");
  VethSpec bad_name = spec();
  bad_name.sandbox_name = "a/b";
  EXPECT_ERROR(create_veth(route(), bad_name), Code::kKernel, "create veth pair");
  VethSpec bad_netns = spec();
  const UniqueFd null_device = open_file("/dev/null", 0).value();
  bad_netns.sandbox_fd = null_device.get();
  EXPECT_ERROR(create_veth(route(), bad_netns), Code::kKernel, "create veth pair");
  EXPECT_THAT(link_names(), IsEmpty());
  EXPECT_THAT(link_names(pod_), IsEmpty());
}

TEST_F(VethTest, RemovalOfOneEndRemovesBoth) {
  ASSERT_OK(create_veth(route(), spec()));
  EXPECT_OK(remove_link(route(), link("veth0")));
  EXPECT_THAT(link_names(pod_), IsEmpty());
}

}  // namespace
}  // namespace cnio::net
