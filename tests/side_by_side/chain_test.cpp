// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Plugins of the reference and ours in one network: as IPAM plugin of each other, and one behind the other.
#include "support/chain.hpp"

#include <filesystem>

#include "plugin/bridge_fixture.hpp"
#include "support/twin.hpp"

namespace cnio::test {
namespace {

class Mixed : public BridgeTest {
 protected:
  /// A folder with nothing but this plugin: no other can answer in its place.
  static std::string only(const std::string& folder, const std::string& plugin) {
    const std::string path = make_folder("only-" + plugin);
    std::filesystem::create_symlink(folder + "/" + plugin, path + "/" + plugin);
    return path;
  }

  static Chain alone(const Json& plugin, const std::string& folder, const std::string& ipam_folder) {
    const auto type = plugin.at("type").get<std::string>();
    const auto ipam = plugin.at("ipam").at("type").get<std::string>();
    return {"1.0.0", "net", std::vector<Json>(1, plugin), {only(folder, type), only(ipam_folder, ipam)}};
  }
  static Chain reference_with_ours(const Json& plugin) { return alone(plugin, reference_dir(), plugin_dir()); }
  static Chain ours_with_reference(const Json& plugin) { return alone(plugin, plugin_dir(), reference_dir()); }
};

TEST_F(Mixed, PtpOfTheReferenceAsksOurHostLocal) {
  PARITY("T88");
  Chain chain = reference_with_ours({{"type", "ptp"}, {"ipam", host_local_ipam({"10.1.0.0/24", "fd01::/64"})}});
  const Json result = chain.add(pod());
  EXPECT_EQ(result.at("ips")[0].at("address"), "10.1.0.2/24");
  EXPECT_EQ(read_file("/var/lib/cni/networks/net/10.1.0.2"), "c1\r\neth0");
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(chain.check(pod()));
  EXPECT_TRUE(chain.del(pod()));
  EXPECT_TRUE(chain.del(pod())) << "again";
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_FALSE(store_holds("fd01::2"));
  EXPECT_FALSE(chain.check(pod()));
}

TEST_F(Mixed, MacvlanOfTheReferenceAsksOurHostLocal) {
  PARITY("T88");
  must_run({"ip", "link", "add", "name", "uplink", "type", "veth", "peer", "name", "wire"});
  for (const char* link : {"uplink", "wire"}) must_run({"ip", "link", "set", link, "up"});
  Chain chain = reference_with_ours({{"type", "macvlan"}, {"master", "uplink"}, {"ipam", host_local_ipam()}});
  chain.add(pod("c1"));
  EXPECT_TRUE(chain.check(pod("c1")));
  Chain other = chain;
  EXPECT_EQ(other.add(pod("c2")).at("ips")[0].at("address"), "10.1.0.3/24");
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.3"));
  EXPECT_TRUE(chain.del(pod("c1")));
  EXPECT_TRUE(other.del(pod("c2")));
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_FALSE(store_holds("10.1.0.3"));
}

TEST_F(Mixed, OurBridgeAsksTheReferencesHostLocal) {
  PARITY("T88");
  Json config = dual_stack_config("1.0.0");
  config["ipMasq"] = true;
  Chain chain = ours_with_reference(config);
  chain.add(pod());
  EXPECT_TRUE(store_holds("10.1.0.2"));
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(ping(pod().netns, "fd01::1"));
  EXPECT_TRUE(chain.check(pod()));
  EXPECT_TRUE(chain.del(pod()));
  EXPECT_TRUE(chain.del(pod())) << "again";
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_TRUE(nft_objects_with("10.1.0.2").empty());
}

/// What static gives and a caller uses: a route and dns besides the address.
Json static_ipam_with_more(const std::vector<std::string>& addresses = {"10.1.0.7/24"}) {
  Json ipam = static_ipam(addresses);
  ipam["routes"] = Json::array({{{"dst", "10.50.0.0/16"}}});
  ipam["dns"] = {{"nameservers", {"10.0.0.53"}}};
  return ipam;
}

Json static_behind_bridge() {
  Json config = bridge_config({}, "1.0.0");
  config["ipam"] = static_ipam_with_more();
  return config;
}

TEST_F(Mixed, OurBridgeAsksTheReferencesStatic) {
  PARITY("T88");
  Chain chain = ours_with_reference(static_behind_bridge());
  const Json result = chain.add(pod());
  EXPECT_EQ(address_texts("eth0", pod().netns), std::vector<std::string>{"10.1.0.7/24"});
  EXPECT_EQ(result.at("dns").at("nameservers"), Json({"10.0.0.53"}));
  EXPECT_EQ(routes_to("10.50.0.0/16", pod().netns).at(0).at("gateway"), "10.1.0.1");
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(chain.check(pod()));
  EXPECT_TRUE(chain.del(pod()));
}

TEST_F(Mixed, PtpOfTheReferenceAsksOurStatic) {
  PARITY("T88 T-F01");
  Json ipam = static_ipam_with_more({"10.1.0.7/24", "fd01::7/64"});
  ipam["addresses"][1]["gateway"] = "fd01::1";
  Chain chain = reference_with_ours({{"type", "ptp"}, {"ipam", ipam}});
  EXPECT_EQ(chain.add(pod()).at("ips")[1].at("address"), "fd01::7/64");
  EXPECT_EQ(routes_to("10.50.0.0/16", pod().netns).at(0).at("gateway"), "10.1.0.1");
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(chain.check(pod()));
  EXPECT_TRUE(chain.del(pod()));
  EXPECT_TRUE(chain.del(pod())) << "again";
}

TEST_F(Mixed, StaticIsExchangedUnderARunningPod) {
  PARITY("T67 T-F07");
  const Json config = static_behind_bridge();
  const Json ours = with_prev_result(config, must_add(config, pod("c1")));
  EXPECT_TRUE(succeeded(by_reference("CHECK", ours, pod("c1"))));
  EXPECT_TRUE(succeeded(by_reference("DEL", ours, pod("c1"))));
  const Outcome made = by_reference("ADD", config, pod("c2"));
  ASSERT_TRUE(succeeded(made)) << "the address is free";
  const Json reference = with_prev_result(config, Json::parse(made.out));
  EXPECT_TRUE(succeeded_silently(check(reference, pod("c2"))));
  EXPECT_TRUE(succeeded_silently(del(reference, pod("c2"))));
  EXPECT_TRUE(link_names(pod("c2").netns).empty());
}

/// Our bridge in front, four of the reference's behind it, as container runtimes have them.
class ChainBehindOurs : public Mixed, public ::testing::WithParamInterface<std::string> {
 protected:
  ChainBehindOurs() {
    chain_.set_capability("portMappings",
                          Json::array({{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}}}));
    chain_.set_capability("bandwidth", {{"ingressRate", 100000000}, {"ingressBurst", 10000000}});
  }

  static Json ours() {
    Json config = dual_stack_config();
    config["ipMasq"] = true;
    config["mtu"] = 1400;
    config["dns"] = {{"nameservers", {"10.0.0.53"}}};
    return config;
  }

  static bool mentions(const std::vector<std::string>& objects, const std::string& text) {
    for (const std::string& object : objects) {
      if (object.find(text) != std::string::npos) return true;
    }
    return false;
  }

  Chain chain_{GetParam(),
               "net",
               {ours(),
                {{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}},
                {{"type", "tuning"}, {"sysctl", {{"net.ipv4.conf.eth0.log_martians", "1"}}}},
                {{"type", "bandwidth"}, {"capabilities", {{"bandwidth", true}}}},
                {{"type", "firewall"}, {"backend", "iptables"}}},
               {plugin_dir(), reference_dir()}};
};

TEST_P(ChainBehindOurs, WorksWholeAndGoesWhole) {
  PARITY("T88 T20");
  const OutsideHost outside;
  const std::vector<std::string> links = link_names();
  const Json last = chain_.add(pod());
  const Json& first = chain_.results().front();
  for (const char* part : {"ips", "routes", "dns"}) EXPECT_EQ(last.at(part), first.at(part)) << part;
  for (std::size_t index = 0; index < 3; ++index)
    EXPECT_EQ(last["interfaces"][index]["name"], first["interfaces"][index]["name"]);
  EXPECT_EQ(sysctl("net/ipv4/conf/eth0/log_martians", pod().netns), "1");
  EXPECT_NE(must_run({"tc", "qdisc", "show", "dev", host_end(first)}).find("tbf"), std::string::npos);
  EXPECT_TRUE(mentions(nft_objects(), "10.1.0.2"));
  {
    PeerServer server(pod().netns, PeerServer::Kind::kTcp, 80);
    EXPECT_TRUE(connect_from(outside.netns, "192.0.2.1", 8080));
    EXPECT_EQ(server.next_peer(), "192.0.2.2") << "the pod sees who it is";
  }
  EXPECT_EQ(seen_as(pod().netns, outside.netns, "192.0.2.2"), "192.0.2.1");
  // Debian 12's portmap looks for IPv4 rules among those of IPv6.
  if (reference_is_new()) {
    EXPECT_TRUE(chain_.check(pod()));
  }
  EXPECT_TRUE(chain_.del(pod()));
  EXPECT_TRUE(chain_.del(pod())) << "again";
  for (const char* address : {"10.1.0.2", "fd01::2"}) {
    EXPECT_FALSE(mentions(nft_objects(), address)) << address;
    EXPECT_FALSE(store_holds(address));
  }
  std::vector<std::string> rest = link_names();
  std::erase(rest, "br0");
  EXPECT_EQ(rest, links);
  EXPECT_FALSE(connect_from(outside.netns, "192.0.2.1", 8080));
}

std::string version_name(const ::testing::TestParamInfo<std::string>& info) { return identifier(info.param); }
INSTANTIATE_TEST_SUITE_P(Versions, ChainBehindOurs, ::testing::Values("0.4.0", "1.0.0"), version_name);

}  // namespace
}  // namespace cnio::test
