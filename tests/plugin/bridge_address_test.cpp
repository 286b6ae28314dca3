// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// ADD of bridge: addresses, gateways and routes, proven with traffic.
#include <set>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

using Texts = std::vector<std::string>;

class BridgeAddress : public BridgeTest {
 protected:
  static bool any_tentative(const std::string& link, const std::string& netns = "") {
    return addresses(link, netns).dump().find("tentative") != std::string::npos;
  }

  /// An ADD with an answer of the stand-in.
  Json add_answer(const Json& config, const Json& answer, const Attachment& attachment = pod()) {
    fake_.answer("ADD", answer);
    const Outcome outcome = run(with_fake(fake_, "ADD", config, attachment));
    EXPECT_TRUE(succeeded(outcome));
    return Json::parse(outcome.out, nullptr, false);
  }

  FakeIpam fake_;
};

struct Family {
  std::string name;
  Texts subnets;
  Texts gateways;
  Texts first;
  Texts second;
};

void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

class EachFamily : public BridgeTest, public ::testing::WithParamInterface<Family> {};

INSTANTIATE_TEST_SUITE_P(All, EachFamily,
                         ::testing::Values(Family{"Ipv4", {"10.1.0.0/24"}, {"10.1.0.1"}, {"10.1.0.2"}, {"10.1.0.3"}},
                                           Family{"Ipv6", {"fd01::/64"}, {"fd01::1"}, {"fd01::2"}, {"fd01::3"}},
                                           Family{"DualStack",
                                                  {"10.1.0.0/24", "fd01::/64"},
                                                  {"10.1.0.1", "fd01::1"},
                                                  {"10.1.0.2", "fd01::2"},
                                                  {"10.1.0.3", "fd01::3"}}),
                         [](const auto& test) { return test.param.name; });

TEST_P(EachFamily, PodsReachGatewayEachOtherAndTheHostAtOnce) {
  PARITY("T36 D37");
  const Json config = bridge_config(GetParam().subnets);
  must_add(config, pod("c1"));
  for (const std::string& gateway : GetParam().gateways) EXPECT_TRUE(ping(pod("c1").netns, gateway));
  must_add(config, pod("c2"));
  for (const std::string& address : GetParam().second) {
    EXPECT_TRUE(ping(pod("c1").netns, address));
    EXPECT_TRUE(ping("", address));
  }
  for (const std::string& address : GetParam().first) EXPECT_TRUE(ping(pod("c2").netns, address));
}

TEST_P(EachFamily, NoAddressIsTentativeOnReturn) {
  PARITY("T36 D37");
  must_add(bridge_config(GetParam().subnets), pod());
  EXPECT_EQ(addresses("eth0", pod().netns).dump().find("tentative"), std::string::npos);
  EXPECT_EQ(addresses("br0").dump().find("tentative"), std::string::npos);
}

TEST_P(EachFamily, ForwardingIsSwitchedOnForItsFamiliesOnly) {
  PARITY("T38");
  Json config = bridge_config(GetParam().subnets);
  config["isDefaultGateway"] = false;
  must_add(config, pod("c1"));
  EXPECT_EQ(sysctl("net/ipv4/ip_forward") + sysctl("net/ipv6/conf/all/forwarding"), "00");
  must_run({"ip", "link", "del", "br0"});
  config["isGateway"] = true;
  must_add(config, pod("c2"));
  const bool v4 = GetParam().name != "Ipv6";
  const bool v6 = GetParam().name != "Ipv4";
  EXPECT_EQ(sysctl("net/ipv4/ip_forward"), v4 ? "1" : "0");
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), v6 ? "1" : "0");
}

TEST_P(EachFamily, PodReachesAnOutsideHostThroughItsDefaultRoute) {
  PARITY("T20");
  const OutsideHost outside;
  for (const std::string& subnet : GetParam().subnets) outside.learn_route(subnet);
  must_add(bridge_config(GetParam().subnets), pod());
  for (const std::string& address : GetParam().first) {
    const bool v6 = address.find(':') != std::string::npos;
    EXPECT_EQ(seen_as(pod().netns, outside.netns, v6 ? "2001:db8::2" : "192.0.2.2"), address);
  }
}

TEST_P(EachFamily, KernelStateMatchesTheResult) {
  PARITY("T20 T40");
  const Json result = must_add(bridge_config(GetParam().subnets), pod());
  Texts expected;
  for (const Json& ip : result.at("ips")) expected.push_back(ip.at("address").get<std::string>());
  EXPECT_EQ(address_texts("eth0", pod().netns), expected);
  for (std::size_t index = 0; index < GetParam().gateways.size(); ++index) {
    EXPECT_EQ(result["ips"][index].at("gateway"), GetParam().gateways[index]);
    const bool v6 = GetParam().gateways[index].find(':') != std::string::npos;
    const Json routes = routes_to("default", pod().netns, v6 ? "-6" : "-4");
    ASSERT_EQ(routes.size(), 1U);
    EXPECT_EQ(routes[0].at("gateway"), GetParam().gateways[index]);
  }
}

TEST_F(BridgeAddress, SandboxIsPreparedForIpv6) {
  PARITY("T36");
  set_sysctl("net/ipv6/conf/default/disable_ipv6", "1", pod().netns);
  must_add(dual_stack_config(), pod());
  EXPECT_EQ(sysctl("net/ipv6/conf/eth0/disable_ipv6", pod().netns), "0");
  EXPECT_EQ(sysctl("net/ipv6/conf/lo/disable_ipv6", pod().netns), "0");
  EXPECT_EQ(sysctl("net/ipv6/conf/eth0/keep_addr_on_down", pod().netns), "1");
  EXPECT_EQ(sysctl("net/ipv4/conf/eth0/arp_notify", pod().netns), "1");
  EXPECT_EQ(sysctl("net/ipv6/conf/eth0/accept_dad", pod().netns), "0");
}

TEST_F(BridgeAddress, Ipv4AddressHasItsBroadcastAddress) {
  must_add(bridge_config(), pod());
  EXPECT_EQ(addresses("eth0", pod().netns)[0].value("broadcast", ""), "10.1.0.255");
}

TEST_F(BridgeAddress, DuplicateDetectionFindsADuplicate) {
  PARITY("T37");
  Json config = layer2_config();
  must_add(config, pod("other"));
  must_run({"ip", "addr", "add", "fd01::2/64", "dev", "eth0", "nodad"}, pod("other").netns);
  config = bridge_config({"fd01::/64"});
  config["enabledad"] = true;
  const Outcome outcome = add(config, pod("c1"));
  EXPECT_TRUE(failed(outcome, code::kInTheWay, {"fd01::2"}));
  EXPECT_FALSE(store_holds("fd01::2"));
  EXPECT_TRUE(link_names(pod("c1").netns).empty());
}

TEST_F(BridgeAddress, DuplicateDetectionLetsAGoodAddressPass) {
  PARITY("T37 D38");
  Json config = bridge_config({"fd01::/64"});
  config["enabledad"] = true;
  must_add(config, pod());
  EXPECT_FALSE(any_tentative("eth0", pod().netns));
  EXPECT_TRUE(ping(pod().netns, "fd01::1"));
}

TEST_F(BridgeAddress, GatewayIsGuessedOnlyWhenTheBridgeIsOne) {
  PARITY("T41");
  Json config = fake_config();
  const Json answer = Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.9/24"}]})");
  EXPECT_FALSE(add_answer(config, answer).at("ips")[0].contains("gateway"));
  config["isGateway"] = true;
  EXPECT_EQ(add_answer(config, answer, pod("c2")).at("ips")[0].at("gateway"), "10.1.0.1");
  EXPECT_EQ(address_texts("br0"), Texts{"10.1.0.1/24"});
}

TEST_F(BridgeAddress, DefaultRouteWithoutGatewayIsCompletedOnce) {
  PARITY("T42 D11");
  Json config = dual_stack_config();
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])");
  const Json result = must_add(config, pod());
  const Json v4 = routes_to("default", pod().netns);
  const Json v6 = routes_to("default", pod().netns, "-6");
  ASSERT_EQ(v4.size(), 1U);
  EXPECT_EQ(v4[0].at("gateway"), "10.1.0.1");
  ASSERT_EQ(v6.size(), 1U);
  EXPECT_EQ(v6[0].at("gateway"), "fd01::1");
  EXPECT_EQ(result.at("routes").size(), 2U);
}

TEST_F(BridgeAddress, DefaultRouteOfIpamIsKept) {
  PARITY("T43");
  Json config = bridge_config();
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "0.0.0.0/0", "gw": "10.1.0.77"}])");
  must_add(config, pod());
  const Json routes = routes_to("default", pod().netns);
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes[0].at("gateway"), "10.1.0.77");
}

TEST_F(BridgeAddress, DefaultRouteInAnotherTableDoesNotCount) {
  PARITY("D12");
  Json config = bridge_config();
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "0.0.0.0/0", "gw": "10.1.0.77", "table": 100}])");
  must_add(config, pod());
  EXPECT_EQ(routes_to("default", pod().netns).size(), 2U);
  EXPECT_TRUE(succeeded(run({.argv = {"ip", "route", "get", "192.0.2.9"}, .netns = pod().netns})));
}

TEST_F(BridgeAddress, RoutesWithoutGatewayGetTheOneOfTheirFamily) {
  PARITY("T44");
  Json config = dual_stack_config();
  config["isDefaultGateway"] = false;
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "10.50.0.0/16"}, {"dst": "fd50::/32"}])");
  must_add(config, pod());
  EXPECT_EQ(routes_to("10.50.0.0/16", pod().netns).at(0).at("gateway"), "10.1.0.1");
  EXPECT_EQ(routes_to("fd50::/32", pod().netns, "-6").at(0).at("gateway"), "fd01::1");
}

TEST_F(BridgeAddress, RouteAttributesReachTheKernel) {
  PARITY("T44 D13");
  Json config = bridge_config();
  config["ipam"]["routes"] = Json::parse(
      R"([{"dst": "10.50.0.0/16", "gw": "10.1.0.1", "mtu": 1300, "advmss": 1260, "priority": 77, "table": 100},
          {"dst": "10.60.0.0/16", "scope": 253}])");
  must_add(config, pod());
  const Json route = routes_to("10.50.0.0/16", pod().netns).at(0);
  EXPECT_EQ(route.value("table", ""), "100");
  EXPECT_EQ(route.value("metric", 0), 77);
  EXPECT_EQ(route.at("metrics")[0].value("mtu", 0), 1300) << route.dump();
  EXPECT_EQ(route.at("metrics")[0].value("advmss", 0), 1260);
  const Json on_link = routes_to("10.60.0.0/16", pod().netns).at(0);
  EXPECT_EQ(on_link.value("scope", ""), "link");
  EXPECT_FALSE(on_link.contains("gateway")) << "a route of scope link has no gateway";
}

TEST_F(BridgeAddress, OtherAddressOnTheBridgeIsAConflict) {
  PARITY("T45");
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  must_run({"ip", "addr", "add", "10.9.0.1/24", "dev", "br0"});
  const Snapshot before = Snapshot::of_host().without_cursors().without_device("br0");
  EXPECT_TRUE(failed(add(bridge_config(), pod()), code::kInTheWay, {"br0", "10.9.0.1"}));
  EXPECT_TRUE(same(before, Snapshot::of_host().without_cursors().without_device("br0")));
  EXPECT_EQ(address_texts("br0"), Texts{"10.9.0.1/24"});
  Json config = bridge_config();
  config["forceAddress"] = true;
  must_add(config, pod());
  EXPECT_EQ(address_texts("br0"), Texts{"10.1.0.1/24"});
}

TEST_F(BridgeAddress, SameAddressWithAnotherPrefixIsAConflict) {
  PARITY("T45");
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  must_run({"ip", "addr", "add", "10.1.0.1/16", "dev", "br0"});
  EXPECT_TRUE(failed(add(bridge_config(), pod()), code::kInTheWay, {"10.1.0.1/16"}));
  EXPECT_FALSE(store_holds("10.1.0.2"));
}

TEST_F(BridgeAddress, DisjointIpv6SubnetsShareTheBridge) {
  PARITY("T46 D44");
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  must_run({"ip", "addr", "add", "fd09::1/64", "dev", "br0", "nodad"});
  must_add(bridge_config({"fd01::/64"}), pod());
  const Texts both = address_texts("br0");
  EXPECT_EQ(std::set<std::string>(both.begin(), both.end()), (std::set<std::string>{"fd01::1/64", "fd09::1/64"}));
}

TEST_F(BridgeAddress, OverlappingIpv6SubnetIsAConflict) {
  PARITY("T46");
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  must_run({"ip", "addr", "add", "fd01::ffff/32", "dev", "br0", "nodad"});
  EXPECT_TRUE(failed(add(bridge_config({"fd01::/64"}), pod()), code::kInTheWay, {"fd01::ffff"}));
  Json config = bridge_config({"fd01::/64"});
  config["forceAddress"] = true;
  must_add(config, pod());
  EXPECT_EQ(address_texts("br0"), Texts{"fd01::1/64"});
}

TEST_F(BridgeAddress, TwoIpv4SubnetsOfOneConfigurationShareTheBridge) {
  PARITY("D42");
  const Json config = bridge_config({"10.1.0.0/24", "10.2.0.0/24"});
  must_add(config, pod());
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(ping(pod().netns, "10.2.0.1"));
}

TEST_F(BridgeAddress, InterfacesInTheAnswerOfIpamAreIgnored) {
  PARITY("T40");
  const Json answer = Json::parse(R"({"cniVersion": "1.1.0", "interfaces": [{"name": "wrong"}],
    "ips": [{"address": "10.1.0.9/24", "interface": 0}]})");
  const Json result = add_answer(fake_config(), answer);
  EXPECT_EQ(result.at("interfaces").size(), 3U);
  EXPECT_EQ(result.at("ips")[0].at("interface"), 2);
}

TEST_F(BridgeAddress, KernelWithoutIpv6ServesIpv4) {
  PARITY("D47");
  set_sysctl("net/ipv6/conf/all/disable_ipv6", "1");
  set_sysctl("net/ipv6/conf/default/disable_ipv6", "1");
  must_add(bridge_config(), pod());
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
}

}  // namespace
}  // namespace cnio::test
