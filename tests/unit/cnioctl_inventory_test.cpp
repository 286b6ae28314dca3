// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/world/inventory.hpp"

namespace cnio::test {
namespace {

using cnioctl::Attached;
using cnioctl::Inventory;
using cnioctl::Life;
using cnioctl::World;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

firewall::RuleOwner owner(const std::string& id) { return {"net", {id, "eth0"}}; }

Attached pod(const std::string& id, int index) {
  Attached out{owner(id)};
  out.verdict.life = Life::kLive;
  net::Link end;
  end.index = net::IfIndex{index};
  end.name = "veth" + id;
  end.master = net::IfIndex{1};
  end.up = true;
  out.host_ends.push_back(end);
  firewall::OwnedRules rules;
  rules.table.name = "cnio_masquerade";
  rules.object = "att-" + id;
  rules.addresses = {*IpAddr::parse("10.1.0.2")};
  out.rules.push_back(rules);
  return out;
}

World world() {
  World out;
  net::Link bridge;
  bridge.index = net::IfIndex{1};
  bridge.name = "br0";
  bridge.kind = "bridge";
  out.links = {bridge};
  out.attached = {pod("c1", 2), pod("c2", 3)};
  return out;
}

Inventory inventory(const World& world, const std::vector<std::string>& forwarding = {"forwards IPv4"}) {
  net::OwnedAddress gateway;
  gateway.owner = net::IfIndex{1};
  gateway.address.cidr = *Cidr::parse("10.1.0.1/24");
  return take_inventory(world, {gateway}, forwarding);
}

TEST(Inventory, OfTheSameHasLostNothing) {
  const auto losses = find_losses(inventory(world()), inventory(world()));
  EXPECT_FALSE(losses.any());
}

TEST(Inventory, TellsWhoHasLostRulesElementsAndPorts) {
  World now = world();
  now.attached[0].rules.clear();
  EXPECT_THAT(find_losses(inventory(world()), inventory(now)).attached, ElementsAre(owner("c1")));
  now = world();
  now.attached[1].rules[0].addresses.clear();
  EXPECT_THAT(find_losses(inventory(world()), inventory(now)).attached, ElementsAre(owner("c2")));
  now = world();
  now.attached[1].host_ends[0].master = net::IfIndex::kNone;
  EXPECT_THAT(find_losses(inventory(world()), inventory(now)).attached, ElementsAre(owner("c2")));
}

TEST(Inventory, TellsWhatTheNodeHasLost) {
  EXPECT_TRUE(find_losses(inventory(world()), inventory(world(), {})).of_node);
  const auto without_gateway = take_inventory(world(), {}, {"forwards IPv4"});
  EXPECT_TRUE(find_losses(inventory(world()), without_gateway).of_node);
}

TEST(Inventory, WhoIsGoneOrNewHasLostNothing) {
  World now = world();
  now.attached[1].verdict.life = Life::kGone;
  now.attached[1].rules.clear();
  EXPECT_FALSE(find_losses(inventory(world()), inventory(now)).any());
  EXPECT_FALSE(find_losses(inventory(now), inventory(world())).any());
}

TEST(Inventory, LastPodsTakeTheirBridgeWithThem) {
  World empty;
  EXPECT_FALSE(find_losses(inventory(world()), inventory(empty, {})).any());
}

TEST(Inventory, OnlyWhatIsMissingTwiceIsLost) {
  const auto losses = cnioctl::both({true, {owner("c1"), owner("c2")}}, {false, {owner("c2"), owner("c3")}});
  EXPECT_FALSE(losses.of_node);
  EXPECT_THAT(losses.attached, ElementsAre(owner("c2")));
}

}  // namespace
}  // namespace cnio::test
