// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/link/link.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "cnio/base/unique_fd.hpp"
#include "cnio/net/link/bridge.hpp"
#include "cnio/net/link/events.hpp"
#include "cnio/net/link/veth.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/sandbox.hpp"

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using test::bridge_port;
using test::Json;
using test::link_names;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const MacAddr kMac = MacAddr::parse("02:00:00:00:00:99").value();

class LinkTest : public test::NetTest {
 protected:
  bool is_there(const std::string& name) {
    const auto found = find_link(route(), name);
    EXPECT_OK(found) << name;
    return found.ok() && found.value().has_value();
  }
  BridgeSpec bridge(const std::string& name, uint32_t mtu = 0) { return {.name = name, .mtu = mtu, .mac = kMac}; }
};

// ---- finding

TEST_F(LinkTest, IsFoundByNameAndByIndex) {
  add_veth("v0", "v1");
  ip("link set v0 mtu 1400 address 02:00:00:00:00:01 alias whose-it-is");
  const Link by_name = link("v0");
  EXPECT_EQ(by_name.name, "v0");
  EXPECT_EQ(by_name.kind, "veth");
  EXPECT_EQ(by_name.mtu, 1400U);
  EXPECT_EQ(by_name.mac->to_string(), "02:00:00:00:00:01");
  EXPECT_EQ(by_name.alias, "whose-it-is");
  EXPECT_EQ(by_name.peer, link("v1").index);
  EXPECT_EQ(by_name.master, IfIndex::kNone);
  EXPECT_TRUE(by_name.up);
  EXPECT_TRUE(by_name.operational);
  EXPECT_FALSE(by_name.promiscuous);
  EXPECT_EQ(by_name.hairpin, std::nullopt);
  const auto by_index = find_link(route(), by_name.index);
  ASSERT_OK(by_index);
  ASSERT_TRUE(by_index.value());
  EXPECT_EQ(by_index.value()->name, "v0");
  EXPECT_EQ(static_cast<int>(by_name.index), test::find_link("v0").at("ifindex").get<int>());
}

TEST_F(LinkTest, LoIsOfNoKind) {
  EXPECT_EQ(link("lo").kind, "");
  EXPECT_TRUE(link("lo").mac->is_zero());
}

TEST_F(LinkTest, AbsenceIsAnAnswer) {
  EXPECT_FALSE(is_there("none"));
  EXPECT_FALSE(is_there(""));
  EXPECT_FALSE(is_there("sixteen-bytes-16"));  // the kernel would speak of a range
  EXPECT_FALSE(is_there(std::string(5000, 'x')));
  EXPECT_FALSE(is_there("l"));
  const auto by_index = find_link(route(), IfIndex{4711});
  ASSERT_OK(by_index);
  EXPECT_FALSE(by_index.value());
}

// Nothing is of the index that means "none"; the kernel calls such a question invalid.
TEST_F(LinkTest, NoIndexIsNoLink) {
  const auto found = find_link(route(), IfIndex::kNone);
  ASSERT_OK(found);
  EXPECT_FALSE(found.value());
}

TEST_F(LinkTest, AnAlternativeNameIsNotTheName) {
  ip("link add v0 type veth peer name v1");
  ip("link property add dev v0 altname other");
  ip("link property add dev v0 altname a-name-longer-than-fifteen-bytes");
  EXPECT_FALSE(is_there("other"));
  EXPECT_FALSE(is_there("a-name-longer-than-fifteen-bytes"));
  EXPECT_TRUE(is_there("v0"));
}

TEST_F(LinkTest, NamesWithOddCharacters) {
  ip("link add a.b-c_d@e,f type veth peer name ünïcödé");
  EXPECT_TRUE(is_there("a.b-c_d@e,f"));
  EXPECT_TRUE(is_there("ünïcödé"));
}

TEST_F(LinkTest, AreListedAllOrByMaster) {
  ip("link add br0 type bridge");
  ip("link add br1 type bridge");
  add_veth("v0", "v1");
  add_veth("v2", "v3");
  ip("link set v0 master br0");
  ip("link set v2 master br0");
  ip("link set v3 master br1");
  const auto names = [](const Result<std::vector<Link>>& links) {
    EXPECT_OK(links);
    std::vector<std::string> out;
    for (const Link& each : links.value()) out.push_back(each.name);
    return out;
  };
  EXPECT_THAT(names(list_links(route())), UnorderedElementsAre("lo", "br0", "br1", "v0", "v1", "v2", "v3"));
  EXPECT_THAT(names(list_links(route(), link("br0").index)), UnorderedElementsAre("v0", "v2"));
  EXPECT_THAT(names(list_links(route(), link("br1").index)), UnorderedElementsAre("v3"));
  EXPECT_THAT(names(list_links(route(), link("v1").index)), IsEmpty());
  EXPECT_EQ(link("v0").master, link("br0").index);
}

TEST_F(LinkTest, RemovalIsRepeatable) {
  ip("link add v0 type veth peer name v1");
  const Link v0 = link("v0");
  EXPECT_OK(remove_link(route(), v0));
  EXPECT_THAT(link_names(), IsEmpty());
  EXPECT_OK(remove_link(route(), v0));
}

TEST_F(LinkTest, RemovalOfLoIsRefusedInTheKernelsWords) {
  EXPECT_ERROR(remove_link(route(), link("lo")), Code::kKernel, "remove interface lo: Operation not supported");
}

// ---- bridges

TEST_F(LinkTest, ABridgeIsCreatedUpWithItsAddressAndWithoutStp) {
  const auto created = create_bridge(route(), bridge("br0", 1450));
  ASSERT_OK(created);
  EXPECT_TRUE(created.value());
  const Json seen = test::find_link("br0");
  EXPECT_EQ(seen.at("linkinfo").at("info_kind"), "bridge");
  EXPECT_EQ(seen.at("linkinfo").at("info_data").at("stp_state"), 0);
  EXPECT_EQ(seen.at("linkinfo").at("info_data").at("vlan_filtering"), 0);
  EXPECT_EQ(seen.at("mtu"), 1450);
  EXPECT_EQ(seen.at("address"), "02:00:00:00:00:99");
  EXPECT_THAT(seen.at("flags"), ::testing::Contains("UP"));
  EXPECT_EQ(link("br0").kind, "bridge");
  ASSERT_OK(create_bridge(route(), bridge("br1")));
  EXPECT_EQ(test::find_link("br1").at("mtu"), 1500);
}

TEST_F(LinkTest, ASecondCreationLeavesTheFirstAlone) {
  ASSERT_OK(create_bridge(route(), bridge("br0", 1450)));
  const Json before = test::find_link("br0");
  auto second = bridge("br0", 1300);
  second.mac = MacAddr::random();
  const auto created = create_bridge(route(), second);
  ASSERT_OK(created);
  EXPECT_FALSE(created.value());
  const Json after = test::find_link("br0");
  EXPECT_EQ(after.at("mtu"), before.at("mtu"));
  EXPECT_EQ(after.at("address"), before.at("address"));
  EXPECT_EQ(after.at("ifindex"), before.at("ifindex"));
  // A link of another kind is in the way just the same.
  ip("link add v0 type veth peer name v1");
  const auto taken = create_bridge(route(), bridge("v0"));
  ASSERT_OK(taken);
  EXPECT_FALSE(taken.value());
  EXPECT_EQ(test::find_link("v0").at("linkinfo").at("info_kind"), "veth");
}

TEST_F(LinkTest, ABridgeKeepsItsAddressWhenPortsComeAndGo) {
  PARITY("T47 D39");
  ASSERT_OK(create_bridge(route(), bridge("br0")));
  const auto address = [] { return test::find_link("br0").at("address").get<std::string>(); };
  add_veth("v0", "v1");
  ip("link set v0 address 02:00:00:00:00:01");  // lower than the bridge's
  ip("link set v0 master br0");
  EXPECT_EQ(address(), "02:00:00:00:00:99");
  ip("link set v0 nomaster");
  EXPECT_EQ(address(), "02:00:00:00:00:99");
  ip("link set v0 master br0");
  ip("link del v0");
  EXPECT_EQ(address(), "02:00:00:00:00:99");
}

TEST_F(LinkTest, ABridgeThatCannotBeIsRefusedByName) {
  EXPECT_ERROR(create_bridge(route(), bridge("a/b")), Code::kKernel, "create bridge a/b: Invalid argument");
  EXPECT_ERROR(create_bridge(route(), bridge("br0", 70000)), Code::kKernel, "create bridge br0");
  EXPECT_THAT(link_names(), IsEmpty());
}

// ---- changes

TEST_F(LinkTest, IsSetUpAndDown) {
  ip("link add v0 type veth peer name v1");
  EXPECT_FALSE(link("v0").up);
  EXPECT_OK(set_link_up(route(), link("v0")));
  EXPECT_TRUE(link("v0").up);
  EXPECT_FALSE(link("v0").operational);  // its peer is down
  EXPECT_OK(set_link_up(route(), link("v0")));
  auto events = LinkEvents::open();
  ASSERT_OK(events);
  EXPECT_OK(set_link_up(route(), link("v1")));
  EXPECT_OK(events.value().wait_operational(route(), link("v0"), 60'000));  // older kernels take their time
  EXPECT_OK(set_link_down(route(), link("v0")));
  EXPECT_FALSE(link("v0").up);
  EXPECT_THAT(test::find_link("v0").at("flags"), ::testing::Not(::testing::Contains("UP")));
}

TEST_F(LinkTest, ChangesOfALinkThatIsGoneAreErrorsThatNameIt) {
  ip("link add v0 type veth peer name v1");
  const Link gone = link("v0");
  ip("link del v0");
  EXPECT_ERROR(set_link_up(route(), gone), Code::kKernel, "set v0 up: No such device");
  EXPECT_ERROR(set_link_down(route(), gone), Code::kKernel, "set v0 down");
  EXPECT_ERROR(set_promiscuous(route(), gone), Code::kKernel, "make v0 promiscuous");
  EXPECT_ERROR(set_mac(route(), gone, kMac), Code::kKernel, "set the MAC address of v0 to 02:00:00:00:00:99");
  EXPECT_ERROR(configure_port(route(), gone, {"a", true, false}), Code::kKernel, "configure bridge port v0");
}

TEST_F(LinkTest, MacIsSet) {
  ip("link add v0 type veth peer name v1");
  EXPECT_OK(set_mac(route(), link("v0"), kMac));
  EXPECT_EQ(test::find_link("v0").at("address"), "02:00:00:00:00:99");
  EXPECT_ERROR(set_mac(route(), link("v0"), MacAddr::parse("01:00:00:00:00:01").value()), Code::kKernel);
}

TEST_F(LinkTest, PromiscuityIsSet) {
  ip("link add br0 type bridge");
  EXPECT_OK(set_promiscuous(route(), link("br0")));
  EXPECT_EQ(test::find_link("br0").at("promiscuity"), 1);
  EXPECT_TRUE(link("br0").promiscuous);
  EXPECT_OK(set_promiscuous(route(), link("br0")));
  EXPECT_EQ(test::find_link("br0").at("promiscuity"), 1);
}

// D9: tcpdump on the bridge is no change of the bridge.
TEST_F(LinkTest, APacketCaptureDoesNotCountAsPromiscuous) {
  PARITY("T60");
  ip("link add br0 type bridge");
  const UniqueFd capture(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  packet_mreq request{};
  request.mr_ifindex = static_cast<int>(link("br0").index);
  request.mr_type = PACKET_MR_PROMISC;
  ASSERT_EQ(setsockopt(capture.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request), 0);
  EXPECT_EQ(test::find_link("br0").at("promiscuity"), 1);
  EXPECT_FALSE(link("br0").promiscuous);
}

// ---- ports

TEST_F(LinkTest, APortIsMarkedAndItsHairpinFlagIsSetOrCleared) {
  PARITY("T34");
  ip("link add br0 type bridge");
  add_veth("v0", "v1");
  ip("link set v0 master br0");
  for (const bool hairpin : {true, false, true}) {
    const std::string alias = hairpin ? "cnio n/c1/eth0" : "another";
    ASSERT_OK(configure_port(route(), link("v0"), {alias, hairpin, false}));
    EXPECT_EQ(bridge_port("v0").at("hairpin"), hairpin);
    EXPECT_EQ(test::find_link("v0").at("ifalias"), alias);
    EXPECT_EQ(link("v0").hairpin, hairpin);
    EXPECT_EQ(link("v0").alias, alias);
  }
}

TEST_F(LinkTest, TheLongestAliasFits) {
  ip("link add br0 type bridge");
  add_veth("v0", "v1");
  ip("link set v0 master br0");
  const std::string longest(255, 'x');
  ASSERT_OK(configure_port(route(), link("v0"), {longest, false, false}));
  EXPECT_EQ(link("v0").alias, longest);
  EXPECT_ERROR(configure_port(route(), link("v0"), {longest + "x", false, false}), Code::kKernel);
}

TEST_F(LinkTest, APortHasNoIpv6AddressOfItsOwn) {
  ip("link add br0 type bridge");
  ip("link add v0 type veth peer name v1");
  ip("link set v0 master br0");
  ASSERT_OK(configure_port(route(), link("v0"), {"a", false, false}));
  for (const char* end : {"v1", "v0"}) ip(std::string("link set ") + end + " up");
  auto events = LinkEvents::open();
  ASSERT_OK(events);
  ASSERT_OK(events.value().wait_operational(route(), link("v0"), 60'000));
  EXPECT_THAT(test::addresses("v0"), IsEmpty());
  EXPECT_EQ(ip("-6 route show dev v0"), "");
}

// An interface with such an MTU has no IPv6, RFC 8200, section 5.
TEST_F(LinkTest, APortWithoutIpv6IsConfigured) {
  ip("link add br0 type bridge");
  ip("link add v0 mtu 1000 type veth peer name v1");
  ip("link set v0 master br0");
  ASSERT_OK(configure_port(route(), link("v0"), {"a", true, false}));
  EXPECT_EQ(link("v0").alias, "a");
  EXPECT_EQ(bridge_port("v0").at("hairpin"), true);
}

TEST_F(LinkTest, AnnouncementsAreSwitchedOn) {
  add_veth("v0", "v1");
  ASSERT_EQ(test::sysctl("net/ipv4/conf/v0/arp_notify"), "0");
  ASSERT_OK(set_arp_notify(route(), link("v0")));
  EXPECT_EQ(test::sysctl("net/ipv4/conf/v0/arp_notify"), "1");
  EXPECT_EQ(test::sysctl("net/ipv4/conf/v1/arp_notify"), "0");
}

TEST_F(LinkTest, WhatIsNoPortCannotBeConfiguredAsOne) {
  add_veth("v0", "v1");
  EXPECT_ERROR(configure_port(route(), link("v0"), {"a", true, false}), Code::kKernel, "configure bridge port v0");
}

}  // namespace
}  // namespace cnio::net
