// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link/events.hpp"
#include "cnio/net/link/veth.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::link_names;
using ::testing::HasSubstr;

class LinkEventsTest : public test::NetTest {};

TEST_F(LinkEventsTest, WaitingForALinkThatIsUpEndsAtOnce) {
  add_veth("v0", "v1");
  auto events = LinkEvents::open();
  ASSERT_OK(events);
  EXPECT_OK(events.value().wait_operational(route(), link("v0"), 0));
}

TEST_F(LinkEventsTest, WaitingEndsWhenTheLinkComesUp) {
  add_veth("v0", "v1");
  ip("link set v1 down");
  auto events = LinkEvents::open();
  ASSERT_OK(events);
  test::Command later;
  later.argv = {"sh", "-c", "sleep 0.3; ip link set v1 up"};
  test::Child helper(later);
  EXPECT_OK(events.value().wait_operational(route(), link("v0"), 60'000));
  EXPECT_TRUE(link("v0").operational);
  EXPECT_EQ(helper.wait().exit_code, 0);
}

TEST_F(LinkEventsTest, WaitingForALinkThatStaysDownNamesItAndTheTime) {
  add_veth("v0", "v1");
  ip("link set v1 down");
  auto events = LinkEvents::open();
  ASSERT_OK(events);
  const Status status = events.value().wait_operational(route(), link("v0"), 20);
  EXPECT_ERROR(status, Code::kTryAgain, "interface v0 did not come up within 20 ms");
  EXPECT_THAT(status.error().details(), HasSubstr("ip -d link show v0"));
}

// Nothing would ever come.
TEST_F(LinkEventsTest, WaitingForALinkThatIsRemovedEndsAtOnce) {
  add_veth("v0", "v1");
  ip("link set v1 down");
  const Link waiting = link("v0");
  auto events = LinkEvents::open();
  ASSERT_OK(events);
  test::Command later;
  later.argv = {"sh", "-c", "sleep 0.3; ip link delete v0"};
  test::Child helper(later);
  EXPECT_ERROR(events.value().wait_operational(route(), waiting, 3'600'000), Code::kTryAgain,
               "interface v0 was removed meanwhile");
  EXPECT_EQ(helper.wait().exit_code, 0);
}

// A busy node sends more notifications than the socket holds; the kernel then drops some and says so.
TEST_F(LinkEventsTest, LostNotificationsDoNotEndTheWait) {
  add_veth("v0", "v1");
  add_veth("busy0", "busy1");
  ip("link set v1 down");
  auto events = LinkEvents::open();
  ASSERT_OK(events);
  std::string lines;
  for (int i = 0; i < 10'000; ++i) lines += "link set busy0 mtu 1400\nlink set busy0 mtu 1500\n";
  ip_batch(lines);
  test::Command later;
  later.argv = {"sh", "-c", "sleep 0.3; ip link set v1 up"};
  test::Child helper(later);
  EXPECT_OK(events.value().wait_operational(route(), link("v0"), 60'000));
  EXPECT_EQ(helper.wait().exit_code, 0);
}

TEST_F(LinkEventsTest, SaysWhichKindsTheKernelKnows) {
  for (const auto& [kind, known] :
       {std::pair("bridge", true), std::pair("veth", true), std::pair("nosuchkind", false)}) {
    const auto possible = can_create(route(), kind);
    ASSERT_OK(possible);
    EXPECT_EQ(possible.value(), known) << kind;
  }
  EXPECT_TRUE(test::link_names().empty()) << "asking creates nothing";
}

TEST_F(LinkEventsTest, NamesBelongToAlternativeOwnersToo) {
  ip("link add br0 type bridge");
  ip("link property add dev br0 altname other");
  const auto by_name = find_link(route(), "other");
  ASSERT_OK(by_name);
  EXPECT_FALSE(by_name.value());
  const auto owner = find_name_owner(route(), "other");
  ASSERT_OK(owner);
  ASSERT_TRUE(owner.value());
  EXPECT_EQ(owner.value()->name, "br0");
}

// What udev goes by (addr_assign_type): an address that was given at creation is not replaced.
TEST_F(LinkEventsTest, AVethsHostEndHasTheAddressThatItWasGiven) {
  FAULT("D12 host end's MAC");
  const MacAddr mac = MacAddr::random_high();
  ASSERT_OK(create_veth(route(), {.host_name = "v0", .sandbox_name = "v1", .host_mac = mac, .sandbox_mac = {}}));
  EXPECT_EQ(link("v0").mac, mac);
  EXPECT_EQ(has_fixed_mac(link("v0")), true);
  EXPECT_EQ(has_fixed_mac(link("v1")), false);
  Link other = link("v0");
  other.name = "v1";
  EXPECT_FALSE(has_fixed_mac(other)) << "another link's";
}

TEST_F(LinkEventsTest, SettingsOfBothFamiliesAreSeen) {
  add_veth("v0", "v1");
  const auto set = [](const std::string& name, const std::string& value) { test::set_sysctl("net/" + name, value); };
  set("ipv4/conf/v0/forwarding", "0");
  set("ipv6/conf/v0/accept_ra", "2");
  ASSERT_TRUE(link("v0").ipv6);
  EXPECT_FALSE(link("v0").forwards_ipv4 || link("v0").ipv6->forwards || link("v0").ipv6->disabled);
  EXPECT_EQ(link("v0").ipv6->accept_ra, 2);
  set("ipv4/conf/v0/forwarding", "1");
  set("ipv6/conf/v0/forwarding", "1");
  set("ipv6/conf/v0/disable_ipv6", "1");
  set("ipv6/conf/v0/accept_ra", "1");
  EXPECT_TRUE(link("v0").forwards_ipv4 && link("v0").ipv6->forwards && link("v0").ipv6->disabled);
  EXPECT_FALSE(link("v0").ipv6->believes_routers());
  ip("link set v0 mtu 1279");
  EXPECT_FALSE(link("v0").ipv6);
}

TEST_F(LinkEventsTest, AFullBridgeIsExplained) {
  FAULT("D14 full bridge");
  ip("link add br0 type bridge");
  std::string lines;
  for (int i = 0; i < 1023; ++i) {
    const std::string number = std::to_string(i);
    lines += "link add p" + number + " master br0 type veth peer name q" + number + "\n";
  }
  ip_batch(lines);
  const Status full =
      create_veth(route(), {.host_name = "v0", .master = link("br0").index, .sandbox_name = "v1", .sandbox_mac = {}});
  EXPECT_ERROR(full, Code::kKernel, "create veth pair v0 - v1", "1023 ports");
  EXPECT_NE(test::details(full).find("another bridge"), std::string::npos);
  EXPECT_FALSE(find_link(route(), "v0").value());
}

}  // namespace
}  // namespace cnio::net
