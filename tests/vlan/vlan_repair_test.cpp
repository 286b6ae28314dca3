// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// REPAIR, which is `cnioctl resync`'s, puts a pod back into its VLANs.
#include <algorithm>

#include "vlan/vlan_fixture.hpp"

namespace cnio::test {
namespace {

class VlanRepair : public VlanTest {
 protected:
  VlanRepair() {
    config_["vlanTrunk"] = trunk(R"([{"id": 200}, {"minID": 300, "maxID": 302}])");
    config_["ipMasq"] = true;
    config_["hairpinMode"] = true;
    result_ = must_add(config_, pod());
  }

  Json input() const { return with_prev_result(config_, result_); }
  Outcome repair() const { return run(plugin_command({"bridge", "CNIO_REPAIR", pod(), input().dump()})); }

  Json config_ = routed_config(100);
  Json result_;
};

// As ADD: whose ports would be cut off by it, nobody knows.
TEST_F(VlanRepair, DoesNotMakeABridgeFilter) {
  must_run({"ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "0"});
  EXPECT_TRUE(failed(repair(), code::kInTheWay, {"br0", "VLAN"}));
  EXPECT_FALSE(filters_vlans());
}

struct Damage {
  std::string name;
  Texts command;  // "port" is the pod's
};

class VlanRepairAfter : public VlanRepair, public ::testing::WithParamInterface<Damage> {};

TEST_P(VlanRepairAfter, PassesCheckAgain) {
  const std::string port = host_end(result_);
  const Texts vlans = vlans_of(port);
  Texts damage = GetParam().command;
  std::replace(damage.begin(), damage.end(), std::string("port"), port);
  must_run(damage);
  ASSERT_TRUE(failed(check(input(), pod()), code::kCheck, {})) << "it is damaged";

  const Outcome outcome = repair();

  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_EQ(vlans_of(port), vlans);
  EXPECT_TRUE(succeeded_silently(check(input(), pod())));
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
}

INSTANTIATE_TEST_SUITE_P(
    All, VlanRepairAfter,
    ::testing::Values(Damage{"NativeVlanIsGone", {"bridge", "vlan", "del", "dev", "port", "vid", "100"}},
                      Damage{"TrunkVlanIsGone", {"bridge", "vlan", "del", "dev", "port", "vid", "301"}},
                      Damage{"AnotherVlanWasAdded", {"bridge", "vlan", "add", "dev", "port", "vid", "400"}},
                      Damage{"NativeVlanIsTagged", {"bridge", "vlan", "add", "dev", "port", "vid", "100", "pvid"}},
                      Damage{"PortWasTakenOut", {"ip", "link", "set", "port", "nomaster"}},
                      Damage{"GatewayIsGone", {"ip", "link", "del", "br0.100"}},
                      Damage{"GatewayIsDown", {"ip", "link", "set", "br0.100", "down"}},
                      Damage{"GatewayAddressIsGone", {"ip", "addr", "del", "10.1.0.1/24", "dev", "br0.100"}},
                      Damage{"BridgeIsGone", {"ip", "link", "del", "br0"}},
                      Damage{"RulesAreFlushed", {"nft", "flush", "ruleset"}}),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace cnio::test
