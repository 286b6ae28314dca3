// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// firewall: what passes, and what does not.
#include <ostream>

#include "plugin/firewall_fixture.hpp"

namespace cnio::test {
namespace {

/// A back end, on a host whose bridges hand what they pass on to iptables (br_netfilter), or not.
struct Setup {
  std::string backend;
  bool bridge_netfilter;
};
void PrintTo(const Setup& setup, std::ostream* out) { *out << setup.backend << setup.bridge_netfilter; }

class FirewallTraffic : public FirewallTest, public ::testing::WithParamInterface<Setup> {
 protected:
  FirewallTraffic() { bridge_netfilter(GetParam().bridge_netfilter); }

  static Json config(const std::string& policy = "open", const Json& more = Json::object()) {
    Json config = firewall_config({{"backend", GetParam().backend}, {"ingressPolicy", policy}});
    config.update(more);
    return config;
  }
};

INSTANTIATE_TEST_SUITE_P(Each, FirewallTraffic,
                         ::testing::Values(Setup{"iptables", false}, Setup{"iptables", true}, Setup{"nftables", false},
                                           Setup{"nftables", true}),
                         [](const auto& test) {
                           return test.param.backend + (test.param.bridge_netfilter ? "WithBridgeNetfilter" : "");
                         });

TEST_P(FirewallTraffic, PassesAForwardChainThatDrops) {
  PARITY("T-P59 P30");
  drop_forwarded();
  add_pod("c1", config(), dual_stack_config());
  map_port("10.1.0.2");
  const OutsideHost outside;
  outside.learn_route("10.1.0.0/24");
  outside.learn_route("fd01::/64");
  EXPECT_TRUE(ping(pod().netns, "192.0.2.2"));
  EXPECT_TRUE(ping(pod().netns, "2001:db8::2"));
  EXPECT_FALSE(ping(outside.netns, "10.1.0.2")) << "nobody has asked for that";
  EXPECT_FALSE(ping(outside.netns, "fd01::2"));
  const PeerServer server(pod().netns, PeerServer::Kind::kTcp, 80);
  EXPECT_TRUE(connect_from(outside.netns, "192.0.2.1", 8080)) << "a mapped port";
}

TEST_P(FirewallTraffic, WithPortmapInTheChainAMappedPortIsReached) {
  PARITY("T-P59 P30");
  drop_forwarded();
  Json ports = of_network({{"type", "portmap"}}, bridge_config());
  ports["runtimeConfig"]["portMappings"] = {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}}};
  const Json mapped = must_add(with_prev_result(ports, must_add(bridge_config(), pod())), pod());
  must_add(with_prev_result(config(), mapped), pod());
  const OutsideHost outside;
  outside.learn_route("10.1.0.0/24");
  const PeerServer server(pod().netns, PeerServer::Kind::kTcp, 80);
  EXPECT_TRUE(connect_from(outside.netns, "192.0.2.1", 8080));
  EXPECT_FALSE(ping(outside.netns, "10.1.0.2"));
}

TEST_P(FirewallTraffic, TheAdministratorsChainComesFirst) {
  PARITY("T-P57 P40");
  drop_forwarded();
  must_run({"iptables", "-N", "NOMAD-ADMIN"});
  must_run({"iptables", "-A", "NOMAD-ADMIN", "-d", "192.0.2.2", "-j", "DROP"});
  add_pod("c1", config("open", {{"iptablesAdminChainName", "NOMAD-ADMIN"}}));
  const OutsideHost outside;
  outside.learn_route("10.1.0.0/24");
  must_run({"ip", "addr", "add", "192.0.2.3/24", "dev", "eth0"}, outside.netns);
  EXPECT_FALSE(ping(pod().netns, "192.0.2.2"));
  EXPECT_TRUE(ping(pod().netns, "192.0.2.3"));
}

TEST_P(FirewallTraffic, BridgesWithAPolicyAreKeptApart) {
  PARITY("T-P52");
  add_pod("c1", config("same-bridge"));
  add_pod("c2", config("same-bridge"));
  add_pod("c3", config("isolated"), other_bridge());
  Json third = other_bridge();
  third["name"] = "net3";
  third["bridge"] = "br2";
  third["ipam"] = host_local_ipam({"10.3.0.0/24"});
  add_pod("c4", config("open"), third);
  const OutsideHost outside;
  outside.learn_route("10.1.0.0/24");
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.3"));
  EXPECT_FALSE(ping(pod("c1").netns, "10.2.0.2"));
  EXPECT_FALSE(ping(pod("c3").netns, "10.1.0.2"));
  EXPECT_TRUE(ping(pod("c1").netns, "10.3.0.2")) << "a bridge without policy";
  EXPECT_TRUE(ping(pod("c4").netns, "10.1.0.2"));
  EXPECT_TRUE(ping(outside.netns, "10.1.0.2")) << "from outside, as with the reference";
}

TEST_P(FirewallTraffic, IsolatedPodsReachTheirOwnMappedPort) {
  PARITY("T-P53 P37");
  Json network = dual_stack_config();
  network["hairpinMode"] = true;
  add_pod("c1", config("isolated"), network);
  add_pod("c2", config("isolated"), network);
  map_port("10.1.0.2");
  EXPECT_FALSE(ping(pod("c2").netns, "10.1.0.2"));
  EXPECT_FALSE(ping(pod("c2").netns, "fd01::2"));
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1")) << "their gateway";
  const OutsideHost outside;
  outside.learn_route("10.1.0.0/24");
  EXPECT_TRUE(ping(pod("c2").netns, "192.0.2.2"));
  const PeerServer server(pod().netns, PeerServer::Kind::kTcp, 80);
  EXPECT_TRUE(connect_from(pod().netns, "10.1.0.1", 8080));
}

TEST_P(FirewallTraffic, APolicyEndsWithTheAddThatOpensTheBridge) {
  PARITY("T-P54 P35");
  add_pod("c1", config("isolated"));
  add_pod("c2", config("isolated"));
  EXPECT_FALSE(ping(pod("c2").netns, "10.1.0.2"));
  add_pod("c3", config());
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.3")) << "who has not been looking for the other in vain";
  EXPECT_TRUE(ping(pod("c3").netns, "10.1.0.2"));
}

}  // namespace
}  // namespace cnio::test
