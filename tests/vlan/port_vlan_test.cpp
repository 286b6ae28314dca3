// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// VLANs of the port that ADD makes: `vlan`, `vlanTrunk`, `preserveDefaultVlan`.
#include "vlan/vlan_fixture.hpp"

namespace cnio::test {
namespace {

class PortVlan : public VlanTest {
 protected:
  static Texts vlans_after_add(const Json& config, const Attachment& attachment = pod()) {
    return vlans_of(host_end(must_add(config, attachment)));
  }
};

TEST_F(PortVlan, IsNativeAndAlone) {
  PARITY("T48");
  EXPECT_EQ(vlans_after_add(vlan_config(100)), Texts{"100 PVID Egress Untagged"});
  EXPECT_TRUE(filters_vlans());
}

TEST_F(PortVlan, DefaultVlanStaysIfWanted) {
  PARITY("T48");
  Json config = vlan_config(100);
  config["preserveDefaultVlan"] = true;
  EXPECT_EQ(vlans_after_add(config), (Texts{"1 Egress Untagged", "100 PVID Egress Untagged"}));
}

TEST_F(PortVlan, WithoutVlanTheBridgeDoesNotFilter) {
  Json config = vlan_config(0);
  config["preserveDefaultVlan"] = false;
  EXPECT_EQ(vlans_after_add(config), Texts{"1 PVID Egress Untagged"});
  EXPECT_FALSE(filters_vlans());
}

TEST_F(PortVlan, HighestIdIsAccepted) {
  PARITY("T28");
  EXPECT_EQ(vlans_after_add(vlan_config(4094)), Texts{"4094 PVID Egress Untagged"});
}

TEST_F(PortVlan, TrunkIsTaggedBesidesTheDefaultVlan) {
  PARITY("T49");
  Json config = layer2_config();
  config["vlanTrunk"] = trunk(R"([{"id": 101}, {"minID": 200, "maxID": 203}])");
  EXPECT_EQ(vlans_after_add(config), (Texts{"1 PVID Egress Untagged", "101", "200", "201", "202", "203"}));
  EXPECT_TRUE(filters_vlans());
}

TEST_F(PortVlan, TrunkIsTaggedBesidesTheNativeVlan) {
  PARITY("T49");
  Json config = vlan_config(100);
  config["vlanTrunk"] = trunk(R"([{"minID": 200, "maxID": 201, "id": 101}, {"id": 101}])");
  EXPECT_EQ(vlans_after_add(config), (Texts{"100 PVID Egress Untagged", "101", "200", "201"}));
}

TEST_F(PortVlan, TrunkWithTheDefaultVlanKept) {
  PARITY("T49");
  Json config = vlan_config(100);
  config["vlanTrunk"] = trunk(R"([{"id": 101}])");
  config["preserveDefaultVlan"] = true;
  EXPECT_EQ(vlans_after_add(config), (Texts{"1 Egress Untagged", "100 PVID Egress Untagged", "101"}));
}

TEST_F(PortVlan, NativeVlanRepeatedInTheTrunkStaysNative) {
  PARITY("T50 D35");
  Json config = vlan_config(100);
  config["vlanTrunk"] = trunk(R"([{"minID": 99, "maxID": 101}])");
  EXPECT_EQ(vlans_after_add(config), (Texts{"99", "100 PVID Egress Untagged", "101"}));
}

TEST_F(PortVlan, DefaultVlanRepeatedInTheTrunkStaysNative) {
  PARITY("T49");
  Json config = layer2_config();
  config["vlanTrunk"] = trunk(R"([{"minID": 1, "maxID": 3}])");
  EXPECT_EQ(vlans_after_add(config), (Texts{"1 PVID Egress Untagged", "2", "3"}));
}

TEST_F(PortVlan, WholeTrunkFits) {
  PARITY("T28 T49");
  Json config = layer2_config();
  config["vlanTrunk"] = trunk(R"([{"minID": 1, "maxID": 4094}])");
  const Texts vlans = vlans_after_add(config);
  EXPECT_EQ(vlans.size(), 4094U);
  EXPECT_EQ(vlans.back(), "4094");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, Json::parse(add(config, pod("c2")).out)), pod("c2"))));
}

TEST_F(PortVlan, EmptyTrunkAsksForFilteringOnly) {
  PARITY("T28");
  for (const char* entries : {"[]", "[{}]"}) {
    Json config = layer2_config();
    config["vlanTrunk"] = trunk(entries);
    EXPECT_EQ(vlans_after_add(config), Texts{"1 PVID Egress Untagged"}) << entries;
    EXPECT_TRUE(filters_vlans());
    must_del(config, pod());
    must_run({"ip", "link", "del", "br0"});
  }
}

TEST_F(PortVlan, PortsOfOneBridgeDifferInTheirVlans) {
  EXPECT_EQ(vlans_after_add(vlan_config(100), pod("c1")), Texts{"100 PVID Egress Untagged"});
  EXPECT_EQ(vlans_after_add(vlan_config(200), pod("c2")), Texts{"200 PVID Egress Untagged"});
  EXPECT_EQ(vlans_after_add(layer2_config(), pod("c3")), Texts{"1 PVID Egress Untagged"}) << "not asked for";
}

TEST_F(PortVlan, DefaultVlanOfTheBridgeMayBeAnother) {
  must_run({"ip", "link", "add", "br0", "type", "bridge", "vlan_filtering", "1", "vlan_default_pvid", "7"});
  EXPECT_EQ(vlans_after_add(vlan_config(100)), Texts{"100 PVID Egress Untagged"});
  Json config = vlan_config(100);
  config["preserveDefaultVlan"] = true;
  EXPECT_EQ(vlans_after_add(config, pod("c2")), (Texts{"7 Egress Untagged", "100 PVID Egress Untagged"}));
}

TEST_F(PortVlan, BridgeThatDoesNotFilterIsRefusedUntouched) {
  PARITY("D35");
  must_run({"ip", "link", "add", "br0", "up", "type", "bridge"});
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(vlan_config(100), pod()), code::kInTheWay, {"br0", "vlan_filtering"}));
  Json config = layer2_config();
  config["vlanTrunk"] = Json::array();
  EXPECT_TRUE(failed(add(config, pod()), code::kInTheWay, {"br0"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(link_names(pod().netns).empty());
}

TEST_F(PortVlan, ExistingBridgeThatFiltersIsUsed) {
  must_run({"ip", "link", "add", "br0", "type", "bridge", "vlan_filtering", "1"});
  const Texts before = vlans_of("br0");
  EXPECT_EQ(vlans_after_add(vlan_config(100)), Texts{"100 PVID Egress Untagged"});
  EXPECT_EQ(vlans_of("br0"), before) << "the bridge's own VLANs are its owner's";
}

TEST_F(PortVlan, BridgeMacStaysWhateverJoinsAndLeaves) {
  PARITY("T47 D39");
  const Json mac = must_add(vlan_config(100), pod("c1")).at("interfaces")[0].at("mac");
  must_run({"ip", "link", "add", "lowest", "address", "00:00:00:00:00:01", "master", "br0", "type", "veth"});
  EXPECT_EQ(find_link("br0").at("address"), mac);
  must_add(routed_config(200), pod("c2"));
  must_del(routed_config(200), pod("c2"));
  EXPECT_EQ(find_link("br0").at("address"), mac);
}

TEST_F(PortVlan, FailedAddLeavesNothing) {
  Json config = vlan_config(100);
  must_add(config, pod("c1"));
  const Snapshot before = Snapshot::of_host();
  FakeIpam fake;
  fake.fail("ADD", {{"cniVersion", "1.1.0"}, {"code", 11}, {"msg", "none left"}});
  config["ipam"] = {{"type", "fake-ipam"}};
  EXPECT_TRUE(failed(run(with_fake(fake, "ADD", config, pod("c2"))), code::kTryAgain, {"none left"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(link_names(pod("c2").netns).empty());
}

TEST_F(PortVlan, DeleteRemovesThePortAndMayBeRepeated) {
  must_add(vlan_config(100), pod());
  must_del(vlan_config(100), pod());
  must_del(vlan_config(100), pod());
  EXPECT_TRUE(names_on_bridge().empty());
  EXPECT_TRUE(link_names(pod().netns).empty());
}

/// What the reference does with the same keys.
struct Keys {
  std::string name;
  std::string json;
};

void PrintTo(const Keys& keys, std::ostream* out) { *out << keys.json; }

class SameAsReference : public VlanTest, public ::testing::WithParamInterface<Keys> {};

TEST_P(SameAsReference, InThePortsVlans) {
  PARITY("T48 T49");
  Json config = layer2_config();
  config.update(Json::parse(GetParam().json));
  const Texts ours = vlans_of(host_end(must_add(config, pod("ours"))));
  config["bridge"] = "br1";
  Command command = plugin_command({"bridge", "ADD", pod("theirs"), config.dump()});
  command.argv = {reference_dir() + "/bridge"};
  const Outcome outcome = run(command);
  ASSERT_TRUE(succeeded(outcome));
  EXPECT_EQ(ours, vlans_of(host_end(Json::parse(outcome.out))));
  EXPECT_EQ(filters_vlans("br0"), filters_vlans("br1"));
  EXPECT_EQ(vlans_of("br0"), vlans_of("br1"));
}

INSTANTIATE_TEST_SUITE_P(
    Table, SameAsReference,
    ::testing::Values(Keys{"Native", R"({"vlan": 100})"}, Keys{"Kept", R"({"vlan": 100, "preserveDefaultVlan": true})"},
                      Keys{"Default", R"({"vlan": 1})"},
                      Keys{"Trunk", R"({"vlanTrunk": [{"id": 101}, {"minID": 200, "maxID": 203}]})"},
                      Keys{"TrunkAndNative", R"({"vlan": 100, "vlanTrunk": [{"id": 101}, {"id": 4094}]})"},
                      Keys{"TrunkAndKept", R"({"vlanTrunk": [{"id": 101}], "preserveDefaultVlan": true})"},
                      Keys{"All", R"({"vlan": 7, "vlanTrunk": [{"id": 101}], "preserveDefaultVlan": true})"},
                      Keys{"TrunkWithDefault", R"({"vlanTrunk": [{"minID": 1, "maxID": 3}]})"},
                      Keys{"EmptyTrunk", R"({"vlanTrunk": []})"}),
    [](const ::testing::TestParamInfo<Keys>& keys) { return keys.param.name; });

}  // namespace
}  // namespace cnio::test
