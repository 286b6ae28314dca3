// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge_fixture.hpp"

namespace cnio::bridge {
namespace {

using test::address_texts;
using test::sysctl;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<Cidr> cidrs(const std::vector<std::string>& texts) {
  std::vector<Cidr> out;
  for (const auto& text : texts) out.push_back(cidr(text));
  return out;
}

std::vector<std::string> texts(const std::vector<Cidr>& list) {
  std::vector<std::string> out;
  for (const Cidr& each : list) out.push_back(each.to_string());
  return out;
}

class GatewayTest : public BridgeStepsTest {
 protected:
  Result<GatewayPlan> plan(const std::vector<std::string>& present, const std::vector<std::string>& wanted,
                           bool force = false) {
    bridge_ = ensured();
    ip("addr flush dev br0 scope global");
    for (const auto& text : present) ip("addr add " + text + " dev br0");
    config_.force_address = force;
    return plan_gateway(route(), config_, cidrs(wanted));
  }
  BridgeLink bridge_;
};

TEST_F(GatewayTest, WhatIsMissingIsAdded) {
  const auto all = plan({}, {"10.1.0.1/24", "fd01::1/64"});
  ASSERT_OK(all);
  EXPECT_THAT(texts(all.value().add), ElementsAre("10.1.0.1/24", "fd01::1/64"));
  const auto rest = plan({"10.1.0.1/24"}, {"10.1.0.1/24", "fd01::1/64"});
  ASSERT_OK(rest);
  EXPECT_THAT(texts(rest.value().add), ElementsAre("fd01::1/64"));
  EXPECT_THAT(rest.value().remove, IsEmpty());
  const auto none = plan({"10.1.0.1/24", "fd01::1/64"}, {"10.1.0.1/24", "fd01::1/64"});
  ASSERT_OK(none);
  EXPECT_THAT(none.value().add, IsEmpty());
}

TEST_F(GatewayTest, AConflictIsAnErrorOrIsReplaced) {
  PARITY("T45");
  for (const char* present : {"10.9.0.1/24", "10.1.0.1/16", "10.1.0.2/24"}) {
    const auto refused = plan({present}, {"10.1.0.1/24"});
    EXPECT_ERROR(refused, Code::kConflict, "bridge br0 has the address " + std::string(present), "10.1.0.1/24");
    EXPECT_THAT(refused.error().details(), HasSubstr("forceAddress"));
    const auto forced = plan({present}, {"10.1.0.1/24"}, true);
    ASSERT_OK(forced);
    EXPECT_THAT(texts(forced.value().remove), ElementsAre(present));
    EXPECT_THAT(texts(forced.value().add), ElementsAre("10.1.0.1/24"));
  }
}

TEST_F(GatewayTest, DisjointIpv6NetworksLiveTogether) {
  PARITY("T46");
  const auto disjoint = plan({"fd09::1/64"}, {"fd01::1/64"});
  ASSERT_OK(disjoint);
  EXPECT_THAT(disjoint.value().remove, IsEmpty());
  EXPECT_ERROR(plan({"fd01::9/48"}, {"fd01::1/64"}), Code::kConflict, "fd01::9/48");
  EXPECT_THAT(texts(plan({"fd01::9/48", "fd09::1/64"}, {"fd01::1/64"}, true).value().remove),
              ElementsAre("fd01::9/48"));
}

// D42 and D44.
TEST_F(GatewayTest, TheAttachmentsOwnAddressesAreNoConflict) {
  const auto two = plan({"10.2.0.1/24"}, {"10.1.0.1/24", "10.2.0.1/24"});
  ASSERT_OK(two);
  EXPECT_THAT(two.value().remove, IsEmpty());
  EXPECT_THAT(texts(two.value().add), ElementsAre("10.1.0.1/24"));
  const auto link_local = plan({}, {"fe80::1/64"});
  ASSERT_OK(link_local);
  EXPECT_THAT(texts(link_local.value().add), ElementsAre("fe80::1/64"));
}

TEST_F(GatewayTest, ThePlanIsCarriedOut) {
  PARITY("T38 T45 D37");
  test::set_sysctl("net/ipv4/ip_forward", "0");
  test::set_sysctl("net/ipv6/conf/all/forwarding", "0");
  const auto wanted = cidrs({"10.1.0.1/24"});
  const auto todo = plan({"10.9.0.1/24"}, {"10.1.0.1/24"}, true);
  ASSERT_OK(todo);
  ASSERT_OK(configure_gateway(route(), bridge_, config_, todo.value(), wanted));
  EXPECT_THAT(address_texts("br0"), ElementsAre("10.1.0.1/24"));
  EXPECT_EQ(sysctl("net/ipv4/ip_forward"), "1");
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "0");

  const auto both = cidrs({"10.1.0.1/24", "fd01::1/64"});
  const auto more = plan_gateway(route(), config_, both);
  ASSERT_OK(more);
  ASSERT_OK(configure_gateway(route(), bridge_, config_, more.value(), both));
  EXPECT_THAT(address_texts("br0"), ElementsAre("10.1.0.1/24", "fd01::1/64"));
  for (const auto& address : test::addresses("br0")) EXPECT_FALSE(address.contains("tentative"));
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "1");
}

// Between the look and the act.
TEST_F(GatewayTest, AnAddressThatAnotherAddHasSetIsFine) {
  const auto todo = plan({}, {"10.1.0.1/24"});
  ASSERT_OK(todo);
  ip("addr add 10.1.0.1/24 dev br0");
  EXPECT_OK(configure_gateway(route(), bridge_, config_, todo.value(), cidrs({"10.1.0.1/24"})));
  EXPECT_THAT(address_texts("br0"), ElementsAre("10.1.0.1/24"));
}

TEST_F(GatewayTest, TheAddressOfAnAdoptedBridgeIsPinned) {
  PARITY("T47");
  ip("link add br0 type bridge");  // its address follows its ports'
  const auto todo = plan({}, {"10.1.0.1/24"});
  ASSERT_OK(todo);
  ASSERT_FALSE(bridge_.created);
  add_veth("v0", "v1");
  ip("link set v0 address 02:00:00:00:00:01");
  ip("link set v0 master br0");
  ASSERT_OK(configure_gateway(route(), bridge_, config_, todo.value(), cidrs({"10.1.0.1/24"})));
  const std::string taken = "02:00:00:00:00:01";
  EXPECT_EQ(seen("br0").at("address"), taken);
  ip("link set v0 nomaster");
  EXPECT_EQ(seen("br0").at("address"), taken);
}

// ---- the MAC address of an adopted bridge that is a gateway

class AdoptedGatewayTest : public BridgeStepsTest {
 protected:
  AdoptedGatewayTest() {
    config_.is_gateway = true;
    config_.ipam_type = "host-local";
    ip("link add br0 type bridge");  // its address follows its ports'
  }
  static std::string mac() { return seen("br0").at("address").get<std::string>(); }
  /// A port with an address that the bridge would take; up, as is the bridge.
  static void add_port(const std::string& name, const std::string& address) {
    ip("link add " + name + " type veth peer name p" + name);
    ip("link set " + name + " address " + address);
    ip("link set " + name + " master br0");
    for (const std::string& each : {name, "p" + name, std::string("br0")}) ip("link set " + each + " up");
  }
  /// What an ADD and a DEL do to the ports.
  void expect_kept(const std::string& expected) {
    (void)ensured();
    EXPECT_EQ(mac(), expected);
    add_port("pod", "fe:00:00:00:00:01");
    EXPECT_EQ(mac(), expected);
    (void)ensured();
    ip("link del pod");
    EXPECT_EQ(mac(), expected);
  }
};

TEST_F(AdoptedGatewayTest, WithoutAnyPortItIsKept) {
  FAULT("D12 bridge's MAC");
  expect_kept(mac());
}

TEST_F(AdoptedGatewayTest, WithAnUplinkItIsKept) {
  FAULT("D12 bridge's MAC");
  add_port("up0", "02:00:00:00:00:77");
  expect_kept("02:00:00:00:00:77");
  ip("link del up0");
  EXPECT_EQ(mac(), "02:00:00:00:00:77");
}

TEST_F(AdoptedGatewayTest, WithAnUplinkOfAHighAddressItIsKept) {
  FAULT("D12 bridge's MAC");
  add_port("up0", "fe:ff:00:00:00:77");
  expect_kept("fe:ff:00:00:00:77");
}

TEST_F(AdoptedGatewayTest, WithTheGatewayAddressThereItIsKept) {
  FAULT("D12 bridge's MAC");
  ip("addr add 10.1.0.1/24 dev br0");
  expect_kept(mac());
}

TEST_F(AdoptedGatewayTest, AfterItsLastPortHasGoneItHasOne) {
  FAULT("D12 bridge's MAC");
  add_port("old", "02:00:00:00:00:55");
  ip("link del old");
  ASSERT_EQ(mac(), "00:00:00:00:00:00");
  (void)ensured();
  EXPECT_NE(mac(), "00:00:00:00:00:00");
  expect_kept(mac());
}

// Without sysfs of this namespace, which alone tells whether an address was set.
TEST_F(AdoptedGatewayTest, WhereItCannotBeToldThatItWasSetItIsKeptToo) {
  FAULT("D12 bridge's MAC");
  test::must_run({"mount", "-t", "tmpfs", "none", "/sys"});
  EXPECT_FALSE(net::has_fixed_mac(link("br0")));
  expect_kept(mac());
  test::must_run({"umount", "/sys"});
}

// Setting it again would make the host forget its neighbours, at each ADD.
TEST_F(AdoptedGatewayTest, OnceSetItIsNotSetAgain) {
  FAULT("D12 bridge's MAC");
  add_port("up0", "fe:ff:00:00:00:77");
  (void)ensured();
  EXPECT_EQ(net::has_fixed_mac(link("br0")), true);
  ip("addr add 10.1.0.1/24 dev br0");
  ip("neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 nud reachable dev br0");
  (void)ensured();
  EXPECT_EQ(test::neighbour_mac("10.1.0.9", "br0"), "02:00:00:00:00:09");
}

// ---- the advice to replace an address

TEST_F(GatewayTest, ReplacingIsNotAdvisedWhereTheHostWouldLoseItsOwnAddress) {
  FAULT("D15 forceAddress");
  const auto hint = [&] {
    const auto refused = plan_gateway(route(), config_, cidrs({"10.1.0.1/24"}));
    EXPECT_ERROR(refused, Code::kConflict, "10.9.0.1/24");
    return test::details(refused);
  };
  bridge_ = ensured();
  ip("addr add 10.9.0.1/24 dev br0");
  EXPECT_THAT(hint(), HasSubstr("forceAddress"));
  ip("route add default via 10.9.0.254");
  EXPECT_THAT(hint(), Not(HasSubstr("forceAddress")));
  ip("route del default");
  ip("-6 route add default dev br0 table 77");
  EXPECT_THAT(hint(), Not(HasSubstr("forceAddress")));
  ip("-6 route del default dev br0 table 77");
  test::must_run({"ip", "link", "set", "br0", "alias", "lan"});
  EXPECT_THAT(hint(), Not(HasSubstr("forceAddress")));
}

// ---- IPv6 that the gateway's interface cannot have

TEST_F(GatewayTest, AnInterfaceWithoutIpv6IsAnErrorThatSaysWhy) {
  FAULT("D14 IPv6 off");
  bridge_ = ensured();
  const auto wanted = cidrs({"10.1.0.1/24", "fd01::1/64"});
  const auto hint = [&](std::string_view word) {
    const auto refused = plan_gateway(route(), config_, wanted);
    EXPECT_ERROR(refused, Code::kKernel, "br0", "fd01::1/64", word);
    return test::details(refused);
  };
  test::set_sysctl("net/ipv6/conf/br0/disable_ipv6", "1");
  EXPECT_THAT(hint("IPv6 is switched off"), HasSubstr("net.ipv6.conf.br0.disable_ipv6"));
  EXPECT_OK(plan_gateway(route(), config_, cidrs({"10.1.0.1/24"})));
  ip("link set br0 mtu 1279");
  EXPECT_THAT(hint("MTU of interface br0 is 1279"), HasSubstr("\"mtu\""));
  config_.mtu = 1279;
  EXPECT_THAT(hint("1280"), HasSubstr("\"mtu\""));
  config_.mtu_auto = true;
  EXPECT_THAT(hint("1280"), HasSubstr("\"auto\""));
  EXPECT_OK(plan_gateway(route(), config_, cidrs({"10.1.0.1/24"})));
}

}  // namespace
}  // namespace cnio::bridge
