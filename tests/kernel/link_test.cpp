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

// ---- veth pairs

class VethTest : public LinkTest {
 protected:
  VethTest() : sandbox_(Sandbox::open(test::add_netns("pod")).value()) {}
  VethSpec spec() {
    return {.host_name = "veth0",
            .master = IfIndex::kNone,
            .mtu = 0,
            .sandbox_name = "eth0",
            .sandbox_fd = sandbox_.netns().fd(),
            .sandbox_mac = std::nullopt};
  }
  Sandbox sandbox_;
  const std::string pod_ = "/run/netns/pod";
};

TEST_F(VethTest, IsMadeAcrossNamespacesInOneStep) {
  ASSERT_OK(create_bridge(route(), bridge("br0")));
  VethSpec wanted = spec();
  wanted.master = link("br0").index;
  wanted.mtu = 1400;
  wanted.sandbox_mac = MacAddr::parse("02:00:00:00:00:05");
  ASSERT_OK(create_veth(route(), wanted));

  const Json host = test::find_link("veth0");
  EXPECT_EQ(host.at("master"), "br0");
  EXPECT_EQ(host.at("mtu"), 1400);
  EXPECT_EQ(host.at("txqlen"), 1000);  // D41: not the library's 0
  EXPECT_THAT(host.at("flags"), ::testing::Not(::testing::Contains("UP")));
  const Json pod = test::find_link("eth0", pod_);
  EXPECT_EQ(pod.at("linkinfo").at("info_kind"), "veth");
  EXPECT_EQ(pod.at("mtu"), 1400);
  EXPECT_EQ(pod.at("address"), "02:00:00:00:00:05");
  EXPECT_THAT(pod.at("flags"), ::testing::Not(::testing::Contains("UP")));
  EXPECT_EQ(pod.at("link_index"), host.at("ifindex"));
  EXPECT_EQ(host.at("link_index"), pod.at("ifindex"));
  EXPECT_THAT(link_names(), UnorderedElementsAre("br0", "veth0"));
  EXPECT_THAT(link_names(pod_), ElementsAre("eth0"));
}

TEST_F(VethTest, DefaultsAreTheKernels) {
  ASSERT_OK(create_veth(route(), spec()));
  EXPECT_EQ(test::find_link("veth0").at("mtu"), 1500);
  EXPECT_FALSE(test::find_link("veth0").contains("master"));
  EXPECT_EQ(test::find_link("eth0", pod_).at("mtu"), 1500);
}

// The first link of each namespace has the same index; then kernels before 5.8 did not tell the peer's.
TEST_F(VethTest, EndsOfTheSameIndexKnowEachOther) {
  ASSERT_OK(create_veth(route(), spec()));
  const Link host = link("veth0");
  const auto pod = find_link(sandbox_.route(), "eth0");
  ASSERT_OK(pod);
  ASSERT_TRUE(pod.value());
  ASSERT_EQ(host.index, pod.value()->index);
  EXPECT_EQ(host.peer, pod.value()->index);
  EXPECT_EQ(pod.value()->peer, host.index);
}

TEST_F(VethTest, ATakenNameOnEitherSideIsEexistAndLeavesNothing) {
  ip("link add eth0 type bridge", pod_);
  const Status sandbox_taken = create_veth(route(), spec());
  EXPECT_ERROR(sandbox_taken, Code::kKernel, "create veth pair veth0 - eth0: File exists");
  EXPECT_EQ(sandbox_taken.error().errnum(), EEXIST);
  EXPECT_THAT(link_names(), IsEmpty());

  ip("link add veth0 type bridge");
  VethSpec other = spec();
  other.sandbox_name = "eth1";
  EXPECT_EQ(create_veth(route(), other).error().errnum(), EEXIST);
  EXPECT_THAT(link_names(pod_), ElementsAre("eth0"));
  EXPECT_THAT(link_names(), ElementsAre("veth0"));
}

TEST_F(VethTest, WhatTheKernelRefusesLeavesNothing) {
  VethSpec bad_mac = spec();
  bad_mac.sandbox_mac = MacAddr::parse("01:00:5e:00:00:01");
  EXPECT_ERROR(create_veth(route(), bad_mac), Code::kKernel, "create veth pair");
  VethSpec bad_mtu = spec();
  bad_mtu.mtu = 67;
  EXPECT_ERROR(create_veth(route(), bad_mtu), Code::kKernel, "create veth pair");
  VethSpec bad_master = spec();
  bad_master.master = IfIndex{4711};
  EXPECT_ERROR(create_veth(route(), bad_master), Code::kKernel, "create veth pair");
  VethSpec bad_name = spec();
  bad_name.sandbox_name = "a/b";
  EXPECT_ERROR(create_veth(route(), bad_name), Code::kKernel, "create veth pair");
  VethSpec bad_netns = spec();
  const UniqueFd null_device = open_file("/dev/null", 0).value();
  bad_netns.sandbox_fd = null_device.get();
  EXPECT_ERROR(create_veth(route(), bad_netns), Code::kKernel, "create veth pair");
  EXPECT_THAT(link_names(), IsEmpty());
  EXPECT_THAT(link_names(pod_), IsEmpty());
}

TEST_F(VethTest, RemovalOfOneEndRemovesBoth) {
  ASSERT_OK(create_veth(route(), spec()));
  EXPECT_OK(remove_link(route(), link("veth0")));
  EXPECT_THAT(link_names(pod_), IsEmpty());
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

// ---- waiting

TEST_F(LinkTest, WaitingForALinkThatIsUpEndsAtOnce) {
  add_veth("v0", "v1");
  auto events = LinkEvents::open();
  ASSERT_OK(events);
  EXPECT_OK(events.value().wait_operational(route(), link("v0"), 0));
}

TEST_F(LinkTest, WaitingEndsWhenTheLinkComesUp) {
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

TEST_F(LinkTest, WaitingForALinkThatStaysDownNamesItAndTheTime) {
  add_veth("v0", "v1");
  ip("link set v1 down");
  auto events = LinkEvents::open();
  ASSERT_OK(events);
  const Status status = events.value().wait_operational(route(), link("v0"), 20);
  EXPECT_ERROR(status, Code::kTryAgain, "interface v0 did not come up within 20 ms");
  EXPECT_THAT(status.error().details(), HasSubstr("ip -d link show v0"));
}

// A busy node sends more notifications than the socket holds; the kernel then drops some and says so.
TEST_F(LinkTest, LostNotificationsDoNotEndTheWait) {
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

TEST_F(LinkTest, SaysWhichKindsTheKernelKnows) {
  for (const auto& [kind, known] :
       {std::pair("bridge", true), std::pair("veth", true), std::pair("nosuchkind", false)}) {
    const auto possible = can_create(route(), kind);
    ASSERT_OK(possible);
    EXPECT_EQ(possible.value(), known) << kind;
  }
  EXPECT_TRUE(test::link_names().empty()) << "asking creates nothing";
}

TEST_F(LinkTest, NamesBelongToAlternativeOwnersToo) {
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
TEST_F(LinkTest, AVethsHostEndHasTheAddressThatItWasGiven) {
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

TEST_F(LinkTest, SettingsOfBothFamiliesAreSeen) {
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

TEST_F(LinkTest, AFullBridgeIsExplained) {
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
