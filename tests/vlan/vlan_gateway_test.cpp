// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The host as the gateway of a VLAN: the interface <bridge>.<vlan>.
#include "vlan/vlan_fixture.hpp"

namespace cnio::test {
namespace {

class VlanGateway : public VlanTest {
 protected:
  /// The bridge port at the other end of a gateway interface.
  static std::string port_of(const std::string& gateway) { return find_link(gateway).at("link").get<std::string>(); }
};

TEST_F(VlanGateway, IsTheFourthInterfaceOfTheResult) {
  PARITY("T51");
  const Json result = must_add(routed_config(100), pod());
  const Json& interfaces = result.at("interfaces");
  ASSERT_EQ(interfaces.size(), 4U);
  EXPECT_EQ(interfaces[0], (Json{{"name", "br0"}, {"mac", find_link("br0").at("address")}}));
  EXPECT_EQ(interfaces[2].at("name"), "eth0");
  EXPECT_EQ(interfaces[3], (Json{{"name", "br0.100"}, {"mac", find_link("br0.100").at("address")}}));
  for (const Json& ip : result.at("ips")) EXPECT_EQ(ip.at("interface"), 2);
  EXPECT_EQ(result.at("ips")[0].at("gateway"), "10.1.0.1");
}

TEST_F(VlanGateway, BearsTheAddressesInsteadOfTheBridge) {
  PARITY("T51");
  must_add(routed_config(100), pod());
  EXPECT_EQ(address_texts("br0.100"), (Texts{"10.1.0.1/24", "fd01::1/64"}));
  EXPECT_TRUE(address_texts("br0").empty());
  EXPECT_TRUE(is_up("br0.100"));
}

TEST_F(VlanGateway, IsConnectedToItsVlanOnly) {
  PARITY("T51");
  Json config = routed_config(100);
  config["vlanTrunk"] = trunk(R"([{"id": 300}])");
  config["preserveDefaultVlan"] = true;
  must_add(config, pod());
  const std::string port = port_of("br0.100");
  EXPECT_EQ(find_link(port).at("master"), "br0");
  EXPECT_TRUE(is_up(port));
  EXPECT_EQ(vlans_of(port).back(), "100 PVID Egress Untagged");
  for (const std::string& vlan : vlans_of(port)) EXPECT_NE(vlan, "300");
}

TEST_F(VlanGateway, IsReachedByThePod) {
  PARITY("T51");
  must_add(routed_config(100), pod());
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(ping(pod().netns, "fd01::1"));
}

TEST_F(VlanGateway, ForgetsTheEarlierOwnerOfAnAddress) {
  Json config = routed_config(100);
  config["ipam"]["ranges"] = one_address_ranges("2");
  const auto expect_owner = [](const Json& result) {
    for (const char* address : {"10.1.0.2", "fd01::2"}) {
      EXPECT_TRUE(ping("", address));
      EXPECT_EQ(result.at("interfaces")[2].at("mac"), neighbour_mac(address, "br0.100")) << address;
    }
  };
  expect_owner(must_add(config, pod("c1")));
  delete_netns("c1");
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config, {}))));
  const Json second = must_add(config, pod("c2"));
  expect_owner(second);
  must_del(with_prev_result(config, second), pod("c2"));
  for (const char* address : {"10.1.0.2", "fd01::2"}) EXPECT_EQ(neighbour_mac(address, "br0.100"), "") << address;
}

TEST_F(VlanGateway, IsSharedByThePodsOfTheVlan) {
  PARITY("T51");
  const Json first = must_add(routed_config(100), pod("c1"));
  const Json second = must_add(routed_config(100), pod("c2"));
  EXPECT_EQ(first.at("interfaces")[3], second.at("interfaces")[3]);
  EXPECT_EQ(names_on_bridge().size(), 3U) << "two pods, one gateway";
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1"));
  must_del(routed_config(100), pod("c1"));
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1")) << "it outlives each of them";
}

TEST_F(VlanGateway, EachVlanHasItsOwn) {
  must_add(routed_config(100, {"10.1.0.0/24"}), pod("c1"));
  must_add(routed_config(200, {"10.2.0.0/24"}), pod("c2"));
  EXPECT_EQ(address_texts("br0.100"), Texts{"10.1.0.1/24"});
  EXPECT_EQ(address_texts("br0.200"), Texts{"10.2.0.1/24"});
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.1"));
  EXPECT_TRUE(ping(pod("c2").netns, "10.2.0.1"));
}

TEST_F(VlanGateway, RoutesBetweenVlansAndToTheOutside) {
  const OutsideHost outside;
  Json config = routed_config(100);
  config["ipMasq"] = true;
  must_add(config, pod("c1"));
  must_add(routed_config(200, {"10.2.0.0/24"}), pod("c2"));
  EXPECT_EQ(seen_as(pod("c1").netns, outside.netns, "192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_as(pod("c1").netns, outside.netns, "2001:db8::2"), "2001:db8::1");
  EXPECT_TRUE(ping(pod("c1").netns, "10.2.0.2")) << "a way that leads through the host";
}

TEST_F(VlanGateway, HasTheMtuOfTheBridge) {
  Json config = routed_config(100);
  config["mtu"] = 1400;
  must_add(config, pod());
  EXPECT_EQ(find_link("br0.100").at("mtu"), 1400);
  EXPECT_EQ(find_link(port_of("br0.100")).at("mtu"), 1400);
}

TEST_F(VlanGateway, IsNotMadeWhereNobodyAsksForIt) {
  Json config = routed_config(100);
  config["isDefaultGateway"] = false;
  EXPECT_EQ(must_add(config, pod("c1")).at("interfaces").size(), 3U);
  EXPECT_EQ(must_add(vlan_config(100), pod("c2")).at("interfaces").size(), 3U);
  EXPECT_TRUE(find_link("br0.100").is_null());
}

TEST_F(VlanGateway, NameThatIsTooLongIsRefusedBeforeAnyChange) {
  PARITY("D35");
  Json config = routed_config(100);
  config["bridge"] = "bridge-name1";  // with ".100" one byte too much
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"bridge-name1.100"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  config["bridge"] = "bridge-nam1";
  EXPECT_EQ(must_add(config, pod()).at("interfaces")[3].at("name"), "bridge-nam1.100");
}

TEST_F(VlanGateway, AnotherLinkOfThatNameIsRefused) {
  must_run({"ip", "link", "add", "br0.100", "type", "veth", "peer", "name", "elsewhere"});
  EXPECT_TRUE(failed(add(routed_config(100), pod()), code::kInTheWay, {"br0.100"}));
  EXPECT_TRUE(link_names(pod().netns).empty());
  EXPECT_TRUE(address_texts("br0.100").empty());
  EXPECT_FALSE(store_holds("10.1.0.2", "net100"));
}

TEST_F(VlanGateway, AddressInTheWayIsRefusedOrReplaced) {
  must_add(routed_config(100), pod("c1"));
  Json moved = routed_config(100, {"10.9.0.0/24"});
  moved["name"] = "moved";
  EXPECT_TRUE(failed(add(moved, pod("c2")), code::kInTheWay, {"br0.100", "10.1.0.1/24", "10.9.0.1/24"}));
  EXPECT_EQ(address_texts("br0.100"), (Texts{"10.1.0.1/24", "fd01::1/64"}));
  moved["forceAddress"] = true;
  must_add(moved, pod("c2"));
  EXPECT_EQ(address_texts("br0.100"), (Texts{"10.9.0.1/24", "fd01::1/64"}));
}

TEST_F(VlanGateway, MacStaysWhateverJoinsAndLeaves) {
  PARITY("T47 D39");
  const Json mac = must_add(routed_config(100), pod("c1")).at("interfaces")[3].at("mac");
  must_add(routed_config(100), pod("c2"));
  must_del(routed_config(100), pod("c1"));
  EXPECT_EQ(find_link("br0.100").at("address"), mac);
}

TEST_F(VlanGateway, GoesWithTheBridgeThatIsDeletedWhenEmpty) {
  PARITY("D35");
  Json config = routed_config(100);
  config["deleteWhenEmpty"] = true;
  must_add(config, pod("c1"));
  must_add(config, pod("c2"));
  must_del(config, pod("c1"));
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1")) << "not empty yet";
  must_del(config, pod("c2"));
  EXPECT_TRUE(link_names().empty());
}

TEST_F(VlanGateway, OfTheReferenceIsUsedAndTheReverse) {
  PARITY("T51");
  const auto theirs = [](const std::string& verb, const Attachment& attachment) {
    Command command = plugin_command({"bridge", verb, attachment, routed_config(100).dump()});
    command.argv = {reference_dir() + "/bridge"};
    command.env["CNI_PATH"] = reference_dir();
    return run(command);
  };
  ASSERT_TRUE(succeeded(theirs("ADD", pod("c1"))));
  const std::size_t ports = names_on_bridge().size();
  must_add(routed_config(100), pod("c2"));
  EXPECT_EQ(names_on_bridge().size(), ports + 1) << "no second gateway";
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1"));
  must_del(routed_config(100), pod("c1"));
  EXPECT_TRUE(succeeded(theirs("DEL", pod("c2"))));
  must_run({"ip", "link", "del", "br0.100"});

  must_add(routed_config(100), pod("c3"));
  ASSERT_TRUE(succeeded(theirs("ADD", pod("c4"))));
  EXPECT_EQ(names_on_bridge().size(), 3U) << "no second gateway";
  EXPECT_TRUE(ping(pod("c4").netns, "10.1.0.1"));
}

}  // namespace
}  // namespace cnio::test
