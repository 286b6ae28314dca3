// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Bridge on hosts as they are: with networks, routers and settings of their own.
#include <filesystem>

#include "plugin/bridge_fixture.hpp"
#include "support/router.hpp"

namespace cnio::test {
namespace {

class BridgeHost : public BridgeTest {
 protected:
  static Json other_config() {
    Json config = bridge_config();
    config["name"] = "other";
    config["bridge"] = "br1";
    config["ipam"]["dataDir"] = "/var/lib/cni/other";
    return config;
  }
  /// Nothing of the attachment is left.
  static void expect_nothing_left() {
    EXPECT_TRUE(link_names(pod().netns).empty());
    EXPECT_FALSE(store_holds("10.1.0.2") || store_holds("fd01::2"));
  }
};

// ---- subnets of others

TEST_F(BridgeHost, ASubnetThatAnotherBridgeHasIsRefused) {
  FAULT("B8 two networks with one subnet");
  must_add(bridge_config(), pod("c1"));
  EXPECT_TRUE(failed(add(other_config(), pod("c2")), code::kInTheWay, {"10.1.0.1/24", "br0", "allowOverlap"}));
  EXPECT_TRUE(find_link("br1").is_null());
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.1"));
  Json meant = other_config();
  meant["allowOverlap"] = true;
  must_add(meant, pod("c2"));
  // More specific than a network of the host: it works, so it is fine.
  Json part = bridge_config({"10.1.0.128/25"});
  part["name"] = "part";
  part["bridge"] = "br2";
  must_add(part, pod("c3"));
}

TEST_F(BridgeHost, ASubnetOfTheUplinkIsRefused) {
  FAULT("B8 two networks with one subnet");
  must_run({"ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1"});
  must_run({"ip", "addr", "add", "10.1.0.77/24", "dev", "up0"});
  must_run({"ip", "link", "set", "up0", "up"});
  EXPECT_TRUE(failed(add(bridge_config(), pod()), code::kInTheWay, {"up0", "10.1.0.77/24"}));
  expect_nothing_left();
  EXPECT_TRUE(find_link("br0").is_null());
}

TEST_F(BridgeHost, CheckSeesThatAnotherLinkHasTheSubnetNow) {
  FAULT("B8 two networks with one subnet");
  Json config = with_prev_result(bridge_config(), must_add(bridge_config(), pod()));
  must_run({"ip", "link", "add", "br1", "type", "bridge"});
  must_run({"ip", "addr", "add", "10.1.0.1/24", "dev", "br1"});
  ASSERT_TRUE(succeeded_silently(check(config, pod()))) << "it is down";
  must_run({"ip", "link", "set", "br1", "up"});
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"br1", "10.1.0.1/24"}));
  config["allowOverlap"] = true;
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
}

TEST_F(BridgeHost, AllowOverlapIsABoolean) {
  Json config = bridge_config();
  config["allowOverlap"] = "yes";
  EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"allowOverlap"}));
}

// ---- forwarding that somebody switches off

TEST_F(BridgeHost, CheckSeesThatTheHostDoesNotForwardAnyMore) {
  FAULT("D15 forwarding off");
  const Json config = with_prev_result(dual_stack_config(), must_add(dual_stack_config(), pod()));
  set_sysctl("net/ipv4/ip_forward", "0");
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"net.ipv4.ip_forward"}));
  set_sysctl("net/ipv4/ip_forward", "1");
  set_sysctl("net/ipv6/conf/all/forwarding", "0");
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"net.ipv6.conf.all.forwarding"}));
  set_sysctl("net/ipv6/conf/all/forwarding", "1");
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
}

TEST_F(BridgeHost, ForwardingThatIsOffForNewInterfacesIsSwitchedOn) {
  set_sysctl("net/ipv4/ip_forward", "1");
  set_sysctl("net/ipv4/conf/default/forwarding", "0");
  const Json config = bridge_config();
  const Json result = must_add(config, pod());
  EXPECT_EQ(sysctl("net/ipv4/conf/br0/forwarding"), "1");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod())));
}

TEST_F(BridgeHost, CheckDoesNotAskForForwardingWithoutGateway) {
  Json config = bridge_config();
  config["isDefaultGateway"] = false;
  config = with_prev_result(config, must_add(config, pod()));
  set_sysctl("net/ipv4/ip_forward", "0");
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
}

// ---- routers

TEST_F(BridgeHost, KeepsTheDefaultRouteThatARouterHasAdvertised) {
  FAULT("A3 host's own router");
  for (const char* name : {"all", "default"}) set_sysctl("net/ipv6/conf/" + std::string(name) + "/accept_ra", "1");
  set_sysctl("net/ipv6/conf/all/forwarding", "0");
  set_sysctl("net/ipv6/conf/default/accept_dad", "0");
  const OutsideHost outside;
  let_hear_router(outside.netns, "eth0", "uplink");
  ASSERT_EQ(routes_to("default", "", "-6").size(), 1U);
  must_add(dual_stack_config(), pod());
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "1");
  EXPECT_EQ(routes_to("default", "", "-6").size(), 1U);
  must_run({"ip", "-6", "route", "flush", "default"});
  let_hear_router(outside.netns, "eth0", "uplink");
  EXPECT_EQ(routes_to("default", "", "-6").size(), 1U);
  EXPECT_EQ(sysctl("net/ipv6/conf/br0/accept_ra"), "0");
}

TEST_F(BridgeHost, BelievesNoRouterInAPodOnABridgeThatWasThere) {
  FAULT("A3 CVE-2020-10749");
  set_sysctl("net/ipv6/conf/all/forwarding", "0");
  for (const char* name : {"all", "default"}) set_sysctl("net/ipv6/conf/" + std::string(name) + "/accept_ra", "1");
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  set_sysctl("net/ipv6/conf/default/accept_dad", "0", pod().netns);
  must_add(bridge_config(), pod());
  let_hear_router(pod().netns, "eth0", "br0", 1800, "2001:db8:7::");
  EXPECT_TRUE(routes_to("default", "", "-6").empty());
  EXPECT_EQ(addresses("br0").dump().find("2001:db8:7:"), std::string::npos);
}

// ---- IPv6 that cannot be

TEST_F(BridgeHost, AnMtuTooSmallForIpv6IsNamedAndNothingIsLeft) {
  FAULT("D14 MTU below 1280");
  Json config = dual_stack_config();
  config["mtu"] = 1279;
  EXPECT_TRUE(failed(add(config, pod()), code::kKernel, {"MTU", "1279", "1280", "\"mtu\""}));
  expect_nothing_left();
  EXPECT_TRUE(find_link("br0").is_null());
  config["isDefaultGateway"] = false;
  EXPECT_TRUE(failed(add(config, pod()), code::kKernel, {"MTU", "1279", "1280", "\"mtu\""}));
  expect_nothing_left();
  Json ipv4 = bridge_config();
  ipv4["mtu"] = 1279;
  must_add(ipv4, pod());
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
}

TEST_F(BridgeHost, AnMtuTooSmallForIpv6ComesFromElsewhere) {
  FAULT("D14 MTU below 1280");
  must_run({"ip", "link", "add", "up0", "mtu", "1279", "type", "veth", "peer", "name", "up1"});
  must_run({"ip", "addr", "add", "192.0.2.1/24", "dev", "up0"});
  must_run({"ip", "link", "set", "up0", "up"});
  must_run({"ip", "route", "add", "default", "via", "192.0.2.2"});
  Json config = dual_stack_config();
  config["mtu"] = "auto";
  EXPECT_TRUE(failed(add(config, pod()), code::kKernel, {"MTU", "1279", "\"auto\""}));
  expect_nothing_left();
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  must_run({"ip", "link", "set", "br0", "mtu", "1000"});
  EXPECT_TRUE(failed(add(dual_stack_config(), pod()), code::kKernel, {"MTU", "br0", "1000"}));
  expect_nothing_left();
  must_add(bridge_config(), pod());
}

TEST_F(BridgeHost, Ipv6ThatIsOffOnTheHostIsNamed) {
  FAULT("D14 IPv6 off");
  set_sysctl("net/ipv6/conf/all/disable_ipv6", "1");
  EXPECT_TRUE(failed(add(dual_stack_config(), pod()), code::kKernel, {"IPv6 is switched off", "br0", "disable_ipv6"}));
  expect_nothing_left();
  EXPECT_TRUE(find_link("br0").is_null());
  Json bridged = dual_stack_config();
  bridged["isDefaultGateway"] = false;
  must_add(bridged, pod());  // the host has no part in it
}

TEST_F(BridgeHost, Ipv6ThatIsOffInThePodIsSwitchedOnForWhatNeedsIt) {
  FAULT("D14 IPv6 off");
  set_sysctl("net/ipv6/conf/all/disable_ipv6", "1", pod().netns);
  Json config = bridge_config();
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])");
  must_add(config, pod());
  EXPECT_EQ(routes_to("default", pod().netns, "-6").size(), 1U);
  set_sysctl("net/ipv6/conf/all/disable_ipv6", "1", pod("c2").netns);
  must_add(bridge_config(), pod("c2"));
  EXPECT_EQ(sysctl("net/ipv6/conf/eth0/disable_ipv6", pod("c2").netns), "1");
}

TEST_F(BridgeHost, ReadOnlySettingsAreNoObstacleToIpv6) {
  FAULT("D14 read-only settings");
  set_sysctl("net/ipv4/ip_forward", "1");
  set_sysctl("net/ipv6/conf/all/forwarding", "1");
  (void)pod();
  must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
  must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  const Outcome outcome = add(dual_stack_config(), pod());
  must_run({"umount", "/proc/sys"});
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_NE(outcome.err.find("keep_addr_on_down"), std::string::npos) << outcome.err;
  EXPECT_TRUE(ping(pod().netns, "fd01::1"));
}

// ---- what IPAM plugins say

class OddIpam : public BridgeHost {
 protected:
  Outcome add_answer(const std::string& ips, const std::string& routes = "[]") {
    fake_.answer("ADD", Json::parse(R"({"cniVersion": "1.1.0", "ips": )" + ips + R"(, "routes": )" + routes + "}"));
    Json config = fake_config();
    config["isGateway"] = true;
    return run(with_fake(fake_, "ADD", config, pod()));
  }
  FakeIpam fake_;
};

TEST_F(OddIpam, AddressesThatCannotBeAreNamed) {
  FAULT("D14 unusable address");
  for (const char* address : {"::/0", "::/64", "::2/0", "0.0.0.2/0", "127.0.0.2/8", "224.0.0.9/4", "10.1.0.255/24"}) {
    EXPECT_TRUE(failed(add_answer(R"([{"address": ")" + std::string(address) + R"("}])"), code::kIpam, {address}));
    EXPECT_TRUE(link_names(pod().netns).empty());
  }
}

TEST_F(OddIpam, ARouteThatStandsThereTwiceIsThereOnce) {
  FAULT("D14 same route twice");
  ASSERT_TRUE(succeeded(
      add_answer(R"([{"address": "10.1.0.2/24"}, {"address": "10.2.0.2/24"}, {"address": "fd01::2/64"}])",
                 R"([{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0"}, {"dst": "::/0"}, {"dst": "::/0", "gw": "fd01::1"},
                                       {"dst": "10.1.0.0/24", "scope": 253}, {"dst": "fd01::/64", "scope": 253},
                                       {"dst": "10.9.0.0/16", "priority": 5}, {"dst": "10.9.0.0/16", "priority": 6}])")));
  EXPECT_EQ(routes_to("default", pod().netns).size(), 1U);
  EXPECT_EQ(routes_to("default", pod().netns, "-6").size(), 1U);
  EXPECT_EQ(routes_to("10.1.0.0/24", pod().netns).size(), 1U);
  EXPECT_EQ(routes_to("fd01::/64", pod().netns, "-6").size(), 1U);
  EXPECT_EQ(routes_to("10.9.0.0/16", pod().netns).size(), 2U);
}

TEST_F(OddIpam, RoutesThatExcludeEachOtherAreNamedBoth) {
  FAULT("D14 same route twice");
  EXPECT_TRUE(failed(add_answer(R"([{"address": "10.1.0.2/24"}])",
                                R"([{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0", "gw": "10.1.0.77"}])"),
                     code::kIpam, {"10.1.0.1", "10.1.0.77"}));
  EXPECT_TRUE(link_names(pod().netns).empty());
}

// ---- CHECK after others have been at work

class CheckAfterOthers : public BridgeHost {
 protected:
  CheckAfterOthers() {
    Json config = dual_stack_config();
    config["ipam"]["routes"] = Json::parse(R"([{"dst": "10.50.0.0/16"}])");
    config_ = with_prev_result(config, must_add(config, pod()));
  }
  static void in_pod(const std::string& words) {
    std::vector<std::string> argv{"ip"};
    std::istringstream stream(words);
    for (std::string word; stream >> word;) argv.push_back(word);
    must_run(argv, pod().netns);
  }
  /// What sbr does, for one family.
  static void move_ipv4_routes(const std::string& table) {
    in_pod("route add default via 10.1.0.1 dev eth0 table " + table);
    in_pod("route add 10.50.0.0/16 via 10.1.0.1 dev eth0 table " + table);
    in_pod("route del default");
    in_pod("route del 10.50.0.0/16");
  }
  Json config_;
};

TEST_F(CheckAfterOthers, RoutesInATableThatTheAddressIsLookedUpInAreThere) {
  FAULT("D14 routes moved");
  move_ipv4_routes("100");
  EXPECT_TRUE(failed(check(config_, pod()), code::kCheck, {"10.50.0.0/16"})) << "no rule leads there";
  for (const char* rule : {"from 10.1.0.3 table 100", "from 10.1.0.2 table 101", "from 10.1.0.2 fwmark 7 table 100",
                           "not from 10.1.0.2 table 100"}) {
    in_pod("rule add " + std::string(rule));
    EXPECT_TRUE(failed(check(config_, pod()), code::kCheck, {"10.50.0.0/16"})) << rule;
  }
  for (const char* rule : {"from 10.1.0.2 table 100", "from 10.1.0.0/24 table 100", "from all table 100"}) {
    in_pod("rule add " + std::string(rule));
    EXPECT_TRUE(succeeded_silently(check(config_, pod()))) << rule;
    in_pod("rule del " + std::string(rule));
  }
  in_pod("rule add from 10.1.0.2 table 100");
  in_pod("route flush table 100");
  EXPECT_TRUE(failed(check(config_, pod()), code::kCheck, {"10.50.0.0/16"}));
}

TEST_F(CheckAfterOthers, SoAreThoseOfIpv6) {
  FAULT("D14 routes moved");
  in_pod("-6 route add default via fd01::1 dev eth0 table 100");
  in_pod("-6 route del default");
  EXPECT_TRUE(failed(check(config_, pod()), code::kCheck, {"::/0"}));
  in_pod("rule add from 10.1.0.2 table 100");
  EXPECT_TRUE(failed(check(config_, pod()), code::kCheck, {"::/0"})) << "a rule of the other family";
  in_pod("-6 rule add from fd01::2 table 100");
  EXPECT_TRUE(succeeded_silently(check(config_, pod())));
}

TEST_F(CheckAfterOthers, TheAddressOfTheHostEndCountsOnlyIfItWasChosen) {
  FAULT("D12 host end's MAC");
  const std::string end = host_end(config_.at("prevResult"));
  const std::string chosen = config_.at("prevResult").at("interfaces").at(1).at("mac").get<std::string>();
  EXPECT_TRUE(chosen.starts_with("fe:")) << chosen;
  EXPECT_EQ(read_file("/sys/class/net/" + end + "/addr_assign_type"), "3\n") << "udev would replace it";
  must_run({"ip", "link", "set", end, "address", "86:39:98:00:83:77"});
  EXPECT_TRUE(failed(check(config_, pod()), code::kCheck, {end}));
  // As an older version has reported it, before udev came.
  config_["prevResult"]["interfaces"][1]["mac"] = "02:11:22:33:44:55";
  EXPECT_TRUE(succeeded_silently(check(config_, pod())));
}

}  // namespace
}  // namespace cnio::test
