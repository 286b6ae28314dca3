// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// CHECK sees what became of a pod's VLANs.
#include "vlan/vlan_fixture.hpp"

namespace cnio::test {
namespace {

class VlanCheck : public VlanTest {
 protected:
  VlanCheck() {
    config_["vlanTrunk"] = trunk(R"([{"id": 200}])");
    result_ = must_add(config_, pod());
  }

  Outcome check_now() const { return check(with_prev_result(config_, result_), pod()); }

  /// `bridge vlan <arguments>` on the pod's port.
  void change(const std::string& verb, const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv{"bridge", "vlan", verb, "dev", host_end(result_)};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    must_run(argv);
  }

  Json config_ = routed_config(100);
  Json result_;
};

TEST_F(VlanCheck, PassesAfterAdd) {
  PARITY("T56");
  EXPECT_TRUE(succeeded_silently(check_now()));
  must_add(config_, pod("c2"));
  EXPECT_TRUE(succeeded_silently(check_now())) << "also when another pod has come";
}

TEST_F(VlanCheck, PassesWithTheDefaultVlanKept) {
  PARITY("T56");
  config_["preserveDefaultVlan"] = true;
  const Json result = must_add(config_, pod("c2"));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, result), pod("c2"))));
}

TEST_F(VlanCheck, NativeVlanIsGone) {
  PARITY("T61 D10");
  change("del", {"vid", "100"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {host_end(result_), "100"}));
}

TEST_F(VlanCheck, TrunkVlanIsGone) {
  PARITY("T61 D10");
  change("del", {"vid", "200"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {host_end(result_), "200"}));
}

TEST_F(VlanCheck, AnotherVlanWasAdded) {
  PARITY("T61 D10");
  change("add", {"vid", "300"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {host_end(result_), "300"}));
}

TEST_F(VlanCheck, NativeVlanIsTaggedNow) {
  PARITY("T61 D10");
  change("add", {"vid", "100", "pvid"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {host_end(result_)}));
}

TEST_F(VlanCheck, TrunkVlanIsNativeNow) {
  PARITY("T61 D10");
  change("add", {"vid", "200", "pvid", "untagged"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {host_end(result_)}));
}

TEST_F(VlanCheck, BridgeFiltersNoMore) {
  PARITY("T61 D10");
  must_run({"ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "0"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {"br0"}));
}

TEST_F(VlanCheck, GatewayInterfaceIsGone) {
  PARITY("T61 D10");
  must_run({"ip", "link", "del", "br0.100"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {"br0.100"}));
}

TEST_F(VlanCheck, GatewayInterfaceIsDown) {
  PARITY("T61 D10");
  must_run({"ip", "link", "set", "br0.100", "down"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {"br0.100"}));
}

TEST_F(VlanCheck, GatewayAddressIsGone) {
  PARITY("T61 D10");
  must_run({"ip", "addr", "del", "10.1.0.1/24", "dev", "br0.100"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {"br0.100", "10.1.0.1/24"}));
}

TEST_F(VlanCheck, GatewayInterfaceLeftTheVlan) {
  PARITY("T61 D10");
  const std::string port = find_link("br0.100").at("link").get<std::string>();
  must_run({"bridge", "vlan", "del", "dev", port, "vid", "100"});
  EXPECT_TRUE(failed(check_now(), code::kCheck, {"br0.100"}));
}

TEST_F(VlanCheck, ConfigurationChanged) {
  PARITY("T61 D10");
  config_["vlanTrunk"] = trunk(R"([{"id": 201}])");
  EXPECT_TRUE(failed(check_now(), code::kCheck, {host_end(result_), "201"}));
}

}  // namespace
}  // namespace cnio::test
