// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// ADD of bridge: links, ports and layer 2. Addresses and routes are in bridge_address_test.cpp.
#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

class BridgeAdd : public BridgeTest {
 protected:
  static std::string mac_of(const Attachment& attachment) {
    return find_link(attachment.ifname, attachment.netns).at("address").get<std::string>();
  }
};

TEST_F(BridgeAdd, MakesABridgeThatIsReady) {
  PARITY("T31");
  Json config = layer2_config();
  config["mtu"] = 1400;
  must_add(config, pod());
  const Json bridge = find_link("br0");
  EXPECT_EQ(bridge.at("linkinfo").at("info_kind"), "bridge");
  EXPECT_EQ(bridge.at("linkinfo").at("info_data").at("stp_state"), 0);
  EXPECT_EQ(bridge.at("mtu"), 1400);
  EXPECT_EQ(bridge.value("promiscuity", 0), 0);
  EXPECT_TRUE(is_up("br0"));
  EXPECT_EQ(sysctl("net/ipv6/conf/br0/accept_ra"), "0");
}

TEST_F(BridgeAdd, DefaultBridgeIsCni0) {
  PARITY("T31");
  Json config = layer2_config();
  config.erase("bridge");
  EXPECT_EQ(must_add(config, pod()).at("interfaces")[0].at("name"), "cni0");
}

TEST_F(BridgeAdd, MakesAVethPairWithOneEndOnTheBridge) {
  PARITY("T31");
  Json config = layer2_config();
  config["mtu"] = 1400;
  const Json result = must_add(config, pod());
  const Json host = find_link(host_end(result));
  EXPECT_EQ(host.at("linkinfo").at("info_kind"), "veth");
  EXPECT_EQ(host.at("master"), "br0");
  EXPECT_EQ(host.at("mtu"), 1400);
  EXPECT_EQ(host.at("operstate"), "UP") << "the port forwards when ADD returns";
  EXPECT_EQ(find_link("eth0", pod().netns).at("mtu"), 1400);
  EXPECT_TRUE(is_up("eth0", pod().netns));
}

TEST_F(BridgeAdd, HostEndHasNoIpv6AddressOfItsOwn) {
  const Json result = must_add(layer2_config(), pod());
  EXPECT_THAT(addresses(host_end(result)), ::testing::IsEmpty());
  EXPECT_EQ(must_run({"ip", "-6", "route", "show", "fe80::/64", "dev", host_end(result)}), "");
}

TEST_F(BridgeAdd, HostEndTellsWhoseItIs) {
  const Json result = must_add(layer2_config(), pod());
  const Json host = find_link(host_end(result));
  EXPECT_TRUE(host_end(result).starts_with("veth")) << host_end(result);
  EXPECT_EQ(host_end(result).size(), 12U);
  EXPECT_EQ(host.value("ifalias", ""), "cnio net/c1/eth0");
}

TEST_F(BridgeAdd, ResultListsBridgeHostEndAndContainerEnd) {
  PARITY("T40");
  const Attachment attachment = pod();
  const Json result = must_add(bridge_config(), attachment);
  const Json& interfaces = result.at("interfaces");
  ASSERT_EQ(interfaces.size(), 3U);
  EXPECT_EQ(interfaces[0], (Json{{"name", "br0"}, {"mac", find_link("br0").at("address")}}));
  EXPECT_EQ(interfaces[1], (Json{{"name", host_end(result)}, {"mac", find_link(host_end(result)).at("address")}}));
  EXPECT_EQ(interfaces[2], (Json{{"name", "eth0"}, {"mac", mac_of(attachment)}, {"sandbox", attachment.netns}}));
  EXPECT_EQ(result.at("ips")[0].at("interface"), 2);
}

TEST_F(BridgeAdd, SandboxIsRepeatedAsItWasPassed) {
  PARITY("T40");
  Attachment attachment = pod();
  attachment.netns = "/var/run/../../run/netns/c1";
  EXPECT_EQ(must_add(layer2_config(), attachment).at("interfaces")[2].at("sandbox"), attachment.netns);
}

TEST_F(BridgeAdd, ExistingBridgeKeepsItsWays) {
  PARITY("T32");
  must_run({"ip", "link", "add", "br0", "address", "02:00:00:00:00:99", "type", "bridge"});
  must_run({"ip", "link", "set", "br0", "mtu", "1450"});  // once set, it does not follow the ports
  Json config = layer2_config();
  config["mtu"] = 1400;
  const Json result = must_add(config, pod());
  EXPECT_EQ(find_link("br0").at("mtu"), 1450);
  EXPECT_EQ(find_link("br0").at("address"), "02:00:00:00:00:99");
  EXPECT_TRUE(is_up("br0"));
  EXPECT_EQ(find_link(host_end(result)).at("mtu"), 1400);
  EXPECT_EQ(find_link("eth0", pod().netns).at("mtu"), 1400);
}

TEST_F(BridgeAdd, AnotherKindOfLinkIsRefusedUntouched) {
  PARITY("T33 D40");
  must_run({"ip", "link", "add", "br0", "type", "veth", "peer", "name", "br0-peer"});
  Json config = bridge_config();
  config["promiscMode"] = true;
  const Snapshot before = Snapshot::of_host();
  const Snapshot pod_before = Snapshot::of(pod().netns);
  EXPECT_TRUE(failed(add(config, pod()), code::kInTheWay, {"br0"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(same(pod_before, Snapshot::of(pod().netns)));
}

TEST_F(BridgeAdd, HairpinIsSetAsConfigured) {
  PARITY("T34");
  Json config = layer2_config();
  EXPECT_EQ(bridge_port(host_end(must_add(config, pod("c1")))).at("hairpin"), false);
  config["hairpinMode"] = true;
  EXPECT_EQ(bridge_port(host_end(must_add(config, pod("c2")))).at("hairpin"), true);
}

TEST_F(BridgeAdd, PromiscuousModeIsSetAsConfigured) {
  Json config = layer2_config();
  config["promiscMode"] = true;
  must_add(config, pod());
  EXPECT_EQ(find_link("br0").at("promiscuity"), 1);
  must_add(config, pod("c2"));
  EXPECT_EQ(find_link("br0").at("promiscuity"), 1) << "a flag, not a counter";
}

TEST_F(BridgeAdd, HairpinAndPromiscuousModeExcludeEachOther) {
  PARITY("T27");
  Json config = layer2_config();
  config["hairpinMode"] = true;
  config["promiscMode"] = true;
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"hairpinMode", "promiscMode"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(BridgeAdd, MacComesFromTheFirstSourceThatHasOne) {
  PARITY("T29");
  Json config = layer2_config();
  Attachment attachment = pod("c1");
  attachment.args = "MAC=02:00:00:00:00:03";
  must_add(config, attachment);
  EXPECT_EQ(mac_of(attachment), "02:00:00:00:00:03");
  config["args"]["cni"]["mac"] = "02:00:00:00:00:02";
  attachment = pod("c2");
  attachment.args = "IgnoreUnknown=1;MAC=02:00:00:00:00:03;FOO=1";
  must_add(config, attachment);
  EXPECT_EQ(mac_of(attachment), "02:00:00:00:00:02");
  config["runtimeConfig"]["mac"] = "02:00:00:00:00:01";
  attachment = pod("c3");
  attachment.args = "MAC=02:00:00:00:00:03";
  const Json result = must_add(config, attachment);
  EXPECT_EQ(mac_of(attachment), "02:00:00:00:00:01");
  EXPECT_EQ(result.at("interfaces")[2].at("mac"), "02:00:00:00:00:01");
}

TEST_F(BridgeAdd, MacIsReadInAllSpellings) {
  PARITY("T30");
  int number = 0;
  for (const char* mac : {"02-AA-00-00-00-01", "02aa.0000.0001", "02:aa:00:00:00:01"}) {
    Json config = layer2_config();
    config["runtimeConfig"]["mac"] = mac;
    const Attachment attachment = pod("c" + std::to_string(++number));
    must_add(config, attachment);
    EXPECT_EQ(mac_of(attachment), "02:aa:00:00:00:01");
  }
}

TEST_F(BridgeAdd, BridgeMacStaysWhateverJoinsAndLeaves) {
  PARITY("T47 D39");
  for (const Json& config : {layer2_config(), bridge_config()}) {
    const Json mac = must_add(config, pod("c1")).at("interfaces")[0].at("mac");
    // The lowest address of its ports is what a bridge without a pinned one takes.
    must_run({"ip", "link", "add", "lowest", "address", "00:00:00:00:00:01", "master", "br0", "type", "veth"});
    EXPECT_EQ(find_link("br0").at("address"), mac);
    must_add(config, pod("c2"));
    must_del(config, pod("c2"));
    must_run({"ip", "link", "del", "lowest"});
    must_del(config, pod("c1"));
    EXPECT_EQ(find_link("br0").at("address"), mac);
    must_run({"ip", "link", "del", "br0"});
  }
}

TEST_F(BridgeAdd, BridgeMacThatOthersSettledMeanwhileStays) {
  // A bridge that the reference has just made has no address of its own yet; an ADD by the reference settles it, and
  // reports it, while ours is at work.
  must_run({"ip", "link", "add", "br0", "type", "bridge"});
  FakeIpam fake;
  fake.script("ADD", {{.out = R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]})",
                       .hook = "ip link set br0 address 02:00:00:00:00:77"}});
  Json config = fake_config();
  config["isGateway"] = true;
  const Outcome added = run(with_fake(fake, "ADD", config, pod("c1")));
  ASSERT_TRUE(succeeded(added));
  EXPECT_EQ(find_link("br0").at("address"), "02:00:00:00:00:77");
  EXPECT_EQ(Json::parse(added.out).at("interfaces")[0].at("mac"), "02:00:00:00:00:77");
}

TEST_F(BridgeAdd, Layer2WithEmptyIpamReachesTheNeighbour) {
  Json config = layer2_config();
  config["ipam"] = Json::object();
  config["addIf"] = "true";
  const Json result = must_add(config, pod("c1"));
  EXPECT_FALSE(result.contains("ips"));
  EXPECT_FALSE(result.contains("routes"));
  must_add(config, pod("c2"));
  must_run({"ip", "addr", "add", "10.7.0.1/24", "dev", "eth0"}, pod("c1").netns);
  must_run({"ip", "addr", "add", "10.7.0.2/24", "dev", "eth0"}, pod("c2").netns);
  EXPECT_TRUE(ping(pod("c1").netns, "10.7.0.2"));
}

TEST_F(BridgeAdd, Layer2LeavesForwardingAlone) {
  PARITY("T38");
  must_add(layer2_config(), pod());
  EXPECT_EQ(sysctl("net/ipv4/ip_forward"), "0");
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "0");
}

TEST_F(BridgeAdd, Layer2InAnOldVersionIsRefusedBeforeAnyChange) {
  PARITY("D6");
  const Snapshot before = Snapshot::of_host();
  for (const char* version : {"0.1.0", "0.2.0", ""}) {
    const Outcome outcome = add(layer2_config(version), pod());
    EXPECT_EQ(outcome.exit_code, 1) << version;
    EXPECT_TRUE(Json::parse(outcome.out).contains("code"));
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(link_names(pod().netns).empty());
}

TEST_F(BridgeAdd, PeerNamesOfDifferentAttachmentsDiffer) {
  const std::string first = host_end(must_add(layer2_config(), pod("c1", "eth0")));
  const std::string second = host_end(must_add(layer2_config(), pod("c1", "eth1")));
  Json other = layer2_config();
  other["name"] = "othernet";
  const std::string third = host_end(must_add(other, pod("c1", "eth2")));
  EXPECT_NE(first, second);
  EXPECT_NE(second, third);
  EXPECT_EQ(names_on_bridge().size(), 3U);
}

TEST_F(BridgeAdd, ConfiguredDnsReplacesThatOfIpam) {
  Json config = bridge_config();
  config["ipam"]["resolvConf"] = make_folder("etc") + "/resolv.conf";
  write_file("/run/test/etc/resolv.conf", "nameserver 10.0.0.53\nsearch ipam.example\n");
  EXPECT_EQ(must_add(config, pod("c1")).at("dns").at("search"), Json({"ipam.example"}));
  config["dns"] = {{"nameservers", {"10.9.9.9"}}};
  EXPECT_EQ(must_add(config, pod("c2")).at("dns"), Json::parse(R"({"nameservers": ["10.9.9.9"]})"));
  config["dns"] = {{"search", Json::array()}};
  EXPECT_FALSE(must_add(config, pod("c3")).contains("dns")) << "even an empty list replaces it";
}

}  // namespace
}  // namespace cnio::test
