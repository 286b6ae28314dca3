// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What VLANs are for: who reaches whom.
#include "vlan/vlan_fixture.hpp"

namespace cnio::test {
namespace {

class VlanTraffic : public VlanTest {
 protected:
  /// A pod on the VLAN with an address of its own; all share one subnet, so that only VLANs keep them apart.
  static Attachment join(const std::string& id, const Json& config, const std::string& address) {
    const Attachment attachment = pod(id);
    must_add(config, attachment);
    give_address(attachment, "eth0", address);
    return attachment;
  }
};

TEST_F(VlanTraffic, PodsOfOneVlanReachEachOtherAndNoOthers) {
  PARITY("T48 D35");
  const Attachment red1 = join("red1", vlan_config(100), "10.7.0.1/24");
  const Attachment red2 = join("red2", vlan_config(100), "10.7.0.2/24");
  const Attachment blue = join("blue", vlan_config(200), "10.7.0.3/24");
  EXPECT_TRUE(ping(red1.netns, "10.7.0.2"));
  EXPECT_FALSE(ping(red1.netns, "10.7.0.3"));
  EXPECT_FALSE(ping(blue.netns, "10.7.0.2"));
  EXPECT_TRUE(ping(red2.netns, "10.7.0.1"));
}

TEST_F(VlanTraffic, PodOfTheDefaultVlanIsReachedOnlyIfItWasKept) {
  PARITY("T48");
  must_add(vlan_config(100), pod("first"));  // the bridge filters
  const Attachment plain = join("plain", layer2_config(), "10.7.0.1/24");
  const Attachment red = join("red", vlan_config(100), "10.7.0.2/24");
  EXPECT_FALSE(ping(plain.netns, "10.7.0.2"));
  Json both = vlan_config(1);
  both["preserveDefaultVlan"] = true;
  const Attachment kept = join("kept", both, "10.7.0.3/24");
  EXPECT_TRUE(ping(plain.netns, "10.7.0.3"));
  EXPECT_FALSE(ping(red.netns, "10.7.0.3"));
}

TEST_F(VlanTraffic, TrunkReachesItsVlansByTag) {
  PARITY("T49");
  Json config = layer2_config();
  config["vlanTrunk"] = trunk(R"([{"id": 100}, {"minID": 200, "maxID": 201}])");
  must_add(config, pod("router"));
  add_pod_vlan(pod("router"), 100, "10.7.0.1/24");
  add_pod_vlan(pod("router"), 201, "10.8.0.1/24");
  add_pod_vlan(pod("router"), 300, "10.9.0.1/24");
  const Attachment red = join("red", vlan_config(100), "10.7.0.2/24");
  const Attachment blue = join("blue", vlan_config(201), "10.8.0.2/24");
  const Attachment green = join("green", vlan_config(300), "10.9.0.2/24");
  EXPECT_TRUE(ping(red.netns, "10.7.0.1"));
  EXPECT_TRUE(ping(blue.netns, "10.8.0.1"));
  EXPECT_FALSE(ping(green.netns, "10.9.0.1")) << "not in the trunk";
}

TEST_F(VlanTraffic, NativeVlanRepeatedInTheTrunkStaysReachable) {
  PARITY("T50 D35");
  Json config = vlan_config(100);
  config["vlanTrunk"] = trunk(R"([{"id": 100}, {"id": 200}])");
  const Attachment both = join("both", config, "10.7.0.1/24");
  const Attachment red = join("red", vlan_config(100), "10.7.0.2/24");
  EXPECT_TRUE(ping(both.netns, "10.7.0.2"));
  EXPECT_TRUE(ping(red.netns, "10.7.0.1"));
}

TEST_F(VlanTraffic, SpoofedFramesAreDroppedInAVlan) {
  PARITY("T72");
  Json config = vlan_config(100);
  config["macspoofchk"] = true;
  const Attachment honest = join("honest", config, "10.7.0.1/24");
  const Attachment liar = join("liar", config, "10.7.0.2/24");
  EXPECT_TRUE(ping(liar.netns, "10.7.0.1"));
  must_run({"ip", "link", "set", "eth0", "address", "02:00:00:00:00:66"}, liar.netns);
  EXPECT_FALSE(ping(liar.netns, "10.7.0.1"));
  must_del(config, liar);
  must_add(config, pod("liar"));
  give_address(liar, "eth0", "10.7.0.2/24");
  EXPECT_TRUE(ping(liar.netns, "10.7.0.1")) << "no rule of the former pod is left";
}

TEST_F(VlanTraffic, IsolatedPortsOfAVlanStayApart) {
  Json config = vlan_config(100);
  config["portIsolation"] = true;
  const Attachment one = join("one", config, "10.7.0.1/24");
  join("two", config, "10.7.0.2/24");
  join("open", vlan_config(100), "10.7.0.3/24");
  EXPECT_FALSE(ping(one.netns, "10.7.0.2"));
  EXPECT_TRUE(ping(one.netns, "10.7.0.3"));
}

}  // namespace
}  // namespace cnio::test
