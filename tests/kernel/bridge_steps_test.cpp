// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/identity.hpp"
#include "cnio/attachment/leftover.hpp"
#include "cnio/attachment/pair.hpp"
#include "cnio/attachment/sandbox_end.hpp"

#include "bridge/steps.hpp"
#include "net_fixture.hpp"

namespace cnio::bridge {
namespace {

using attachment::Leftover;
using attachment::Veth;
using protocol::AddResult;
using test::address_texts;
using test::Json;
using test::link_names;
using test::sysctl;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }

std::vector<Cidr> cidrs(const std::vector<std::string>& texts) {
  std::vector<Cidr> out;
  for (const auto& text : texts) out.push_back(cidr(text));
  return out;
}

std::vector<std::string> texts(const std::vector<Cidr>& list) {
  std::vector<std::string> out;
  for (const Cidr& each : list) out.push_back(each.to_string());
  return out;
}

class BridgeStepsTest : public test::NetTest {
 protected:
  BridgeStepsTest() { config_.bridge = "br0"; }

  BridgeLink ensured() {
    Rollback undo;
    auto bridge = ensure_bridge(route(), config_, undo);
    EXPECT_OK(bridge);
    undo.commit();
    return bridge.ok() ? std::move(bridge).value() : BridgeLink{};
  }
  static Json seen(const std::string& name, const std::string& netns = "") { return test::find_link(name, netns); }

  Config config_;
};

// ---- the bridge

TEST_F(BridgeStepsTest, ABridgeIsCreatedUpAndDeafToRouters) {
  PARITY("T31");
  config_.mtu = 1450;
  const BridgeLink bridge = ensured();
  EXPECT_TRUE(bridge.created);
  EXPECT_EQ(bridge.link.name, "br0");
  EXPECT_EQ(seen("br0").at("address"), bridge.link.mac->to_string());
  EXPECT_THAT(seen("br0").at("flags"), Contains("UP"));
  EXPECT_EQ(seen("br0").at("mtu"), 1450);
  EXPECT_EQ(seen("br0").at("linkinfo").at("info_data").at("stp_state"), 0);
  EXPECT_EQ(sysctl("net/ipv6/conf/br0/accept_ra"), "0");
}

TEST_F(BridgeStepsTest, ABridgeThatIsThereIsAdoptedAsItIs) {
  PARITY("T32");
  ip("link add br0 address 02:00:00:00:00:77 mtu 1450 type bridge");
  config_.mtu = 1400;
  const BridgeLink bridge = ensured();
  EXPECT_FALSE(bridge.created);
  EXPECT_EQ(seen("br0").at("mtu"), 1450);
  EXPECT_EQ(seen("br0").at("address"), "02:00:00:00:00:77");
  EXPECT_THAT(seen("br0").at("flags"), Contains("UP"));
  EXPECT_EQ(seen("br0").at("promiscuity"), 0);
  EXPECT_FALSE(ensured().created);
}

TEST_F(BridgeStepsTest, PromiscuousModeIsSetOnceAndNeverCleared) {
  config_.promiscuous = true;
  (void)ensured();
  (void)ensured();
  EXPECT_EQ(seen("br0").at("promiscuity"), 1);
  config_.promiscuous = false;
  (void)ensured();
  EXPECT_EQ(seen("br0").at("promiscuity"), 1);
}

TEST_F(BridgeStepsTest, ALinkThatIsNoBridgeIsLeftUntouched) {
  PARITY("T33 D40");
  ip("link add br0 type veth peer name v1");
  config_.promiscuous = true;
  Rollback undo;
  EXPECT_ERROR(ensure_bridge(route(), config_, undo), Code::kConflict, "interface br0 exists and is no bridge", "veth");
  EXPECT_THAT(seen("br0").at("flags"), Not(Contains("UP")));
  EXPECT_EQ(seen("br0").at("promiscuity"), 0);
}

TEST_F(BridgeStepsTest, AnAlternativeNameOfAnotherLinkIsAConflict) {
  ip("link add other type bridge");
  ip("link property add dev other altname br0");
  Rollback undo;
  EXPECT_ERROR(ensure_bridge(route(), config_, undo), Code::kConflict,
               "br0 is an alternative name of the interface other");
  EXPECT_THAT(link_names(), ElementsAre("other"));
}

// ---- gateway addresses

class GatewayTest : public BridgeStepsTest {
 protected:
  Result<GatewayPlan> plan(const std::vector<std::string>& present, const std::vector<std::string>& wanted,
                           bool force = false) {
    bridge_ = ensured();
    ip("addr flush dev br0 scope global");
    for (const auto& text : present) ip("addr add " + text + " dev br0");
    config_.force_address = force;
    return plan_gateway(route(), config_, cidrs(wanted));
  }
  BridgeLink bridge_;
};

TEST_F(GatewayTest, WhatIsMissingIsAdded) {
  const auto all = plan({}, {"10.1.0.1/24", "fd01::1/64"});
  ASSERT_OK(all);
  EXPECT_THAT(texts(all.value().add), ElementsAre("10.1.0.1/24", "fd01::1/64"));
  const auto rest = plan({"10.1.0.1/24"}, {"10.1.0.1/24", "fd01::1/64"});
  ASSERT_OK(rest);
  EXPECT_THAT(texts(rest.value().add), ElementsAre("fd01::1/64"));
  EXPECT_THAT(rest.value().remove, IsEmpty());
  const auto none = plan({"10.1.0.1/24", "fd01::1/64"}, {"10.1.0.1/24", "fd01::1/64"});
  ASSERT_OK(none);
  EXPECT_THAT(none.value().add, IsEmpty());
}

TEST_F(GatewayTest, AConflictIsAnErrorOrIsReplaced) {
  PARITY("T45");
  for (const char* present : {"10.9.0.1/24", "10.1.0.1/16", "10.1.0.2/24"}) {
    const auto refused = plan({present}, {"10.1.0.1/24"});
    EXPECT_ERROR(refused, Code::kConflict, "bridge br0 has the address " + std::string(present), "10.1.0.1/24");
    EXPECT_THAT(refused.error().details(), HasSubstr("forceAddress"));
    const auto forced = plan({present}, {"10.1.0.1/24"}, true);
    ASSERT_OK(forced);
    EXPECT_THAT(texts(forced.value().remove), ElementsAre(present));
    EXPECT_THAT(texts(forced.value().add), ElementsAre("10.1.0.1/24"));
  }
}

TEST_F(GatewayTest, DisjointIpv6NetworksLiveTogether) {
  PARITY("T46");
  const auto disjoint = plan({"fd09::1/64"}, {"fd01::1/64"});
  ASSERT_OK(disjoint);
  EXPECT_THAT(disjoint.value().remove, IsEmpty());
  EXPECT_ERROR(plan({"fd01::9/48"}, {"fd01::1/64"}), Code::kConflict, "fd01::9/48");
  EXPECT_THAT(texts(plan({"fd01::9/48", "fd09::1/64"}, {"fd01::1/64"}, true).value().remove),
              ElementsAre("fd01::9/48"));
}

// D42 and D44.
TEST_F(GatewayTest, TheAttachmentsOwnAddressesAreNoConflict) {
  const auto two = plan({"10.2.0.1/24"}, {"10.1.0.1/24", "10.2.0.1/24"});
  ASSERT_OK(two);
  EXPECT_THAT(two.value().remove, IsEmpty());
  EXPECT_THAT(texts(two.value().add), ElementsAre("10.1.0.1/24"));
  const auto link_local = plan({}, {"fe80::1/64"});
  ASSERT_OK(link_local);
  EXPECT_THAT(texts(link_local.value().add), ElementsAre("fe80::1/64"));
}

TEST_F(GatewayTest, ThePlanIsCarriedOut) {
  PARITY("T38 T45 D37");
  test::set_sysctl("net/ipv4/ip_forward", "0");
  test::set_sysctl("net/ipv6/conf/all/forwarding", "0");
  const auto wanted = cidrs({"10.1.0.1/24"});
  const auto todo = plan({"10.9.0.1/24"}, {"10.1.0.1/24"}, true);
  ASSERT_OK(todo);
  ASSERT_OK(configure_gateway(route(), bridge_, config_, todo.value(), wanted));
  EXPECT_THAT(address_texts("br0"), ElementsAre("10.1.0.1/24"));
  EXPECT_EQ(sysctl("net/ipv4/ip_forward"), "1");
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "0");

  const auto both = cidrs({"10.1.0.1/24", "fd01::1/64"});
  const auto more = plan_gateway(route(), config_, both);
  ASSERT_OK(more);
  ASSERT_OK(configure_gateway(route(), bridge_, config_, more.value(), both));
  EXPECT_THAT(address_texts("br0"), ElementsAre("10.1.0.1/24", "fd01::1/64"));
  for (const auto& address : test::addresses("br0")) EXPECT_FALSE(address.contains("tentative"));
  EXPECT_EQ(sysctl("net/ipv6/conf/all/forwarding"), "1");
}

// Between the look and the act.
TEST_F(GatewayTest, AnAddressThatAnotherAddHasSetIsFine) {
  const auto todo = plan({}, {"10.1.0.1/24"});
  ASSERT_OK(todo);
  ip("addr add 10.1.0.1/24 dev br0");
  EXPECT_OK(configure_gateway(route(), bridge_, config_, todo.value(), cidrs({"10.1.0.1/24"})));
  EXPECT_THAT(address_texts("br0"), ElementsAre("10.1.0.1/24"));
}

TEST_F(GatewayTest, TheAddressOfAnAdoptedBridgeIsPinned) {
  PARITY("T47");
  ip("link add br0 type bridge");  // its address follows its ports'
  const auto todo = plan({}, {"10.1.0.1/24"});
  ASSERT_OK(todo);
  ASSERT_FALSE(bridge_.created);
  add_veth("v0", "v1");
  ip("link set v0 address 02:00:00:00:00:01");
  ip("link set v0 master br0");
  ASSERT_OK(configure_gateway(route(), bridge_, config_, todo.value(), cidrs({"10.1.0.1/24"})));
  const std::string taken = "02:00:00:00:00:01";
  EXPECT_EQ(seen("br0").at("address"), taken);
  ip("link set v0 nomaster");
  EXPECT_EQ(seen("br0").at("address"), taken);
}

// ---- the MAC address of an adopted bridge that is a gateway

class AdoptedGatewayTest : public BridgeStepsTest {
 protected:
  AdoptedGatewayTest() {
    config_.is_gateway = true;
    config_.ipam_type = "host-local";
    ip("link add br0 type bridge");  // its address follows its ports'
  }
  static std::string mac() { return seen("br0").at("address").get<std::string>(); }
  /// A port with an address that the bridge would take; up, as is the bridge.
  static void add_port(const std::string& name, const std::string& address) {
    ip("link add " + name + " type veth peer name p" + name);
    ip("link set " + name + " address " + address);
    ip("link set " + name + " master br0");
    for (const std::string& each : {name, "p" + name, std::string("br0")}) ip("link set " + each + " up");
  }
  /// What an ADD and a DEL do to the ports.
  void expect_kept(const std::string& expected) {
    (void)ensured();
    EXPECT_EQ(mac(), expected);
    add_port("pod", "fe:00:00:00:00:01");
    EXPECT_EQ(mac(), expected);
    (void)ensured();
    ip("link del pod");
    EXPECT_EQ(mac(), expected);
  }
};

TEST_F(AdoptedGatewayTest, WithoutAnyPortItIsKept) {
  FAULT("D12 bridge's MAC");
  expect_kept(mac());
}

TEST_F(AdoptedGatewayTest, WithAnUplinkItIsKept) {
  FAULT("D12 bridge's MAC");
  add_port("up0", "02:00:00:00:00:77");
  expect_kept("02:00:00:00:00:77");
  ip("link del up0");
  EXPECT_EQ(mac(), "02:00:00:00:00:77");
}

TEST_F(AdoptedGatewayTest, WithAnUplinkOfAHighAddressItIsKept) {
  FAULT("D12 bridge's MAC");
  add_port("up0", "fe:ff:00:00:00:77");
  expect_kept("fe:ff:00:00:00:77");
}

TEST_F(AdoptedGatewayTest, WithTheGatewayAddressThereItIsKept) {
  FAULT("D12 bridge's MAC");
  ip("addr add 10.1.0.1/24 dev br0");
  expect_kept(mac());
}

TEST_F(AdoptedGatewayTest, AfterItsLastPortHasGoneItHasOne) {
  FAULT("D12 bridge's MAC");
  add_port("old", "02:00:00:00:00:55");
  ip("link del old");
  ASSERT_EQ(mac(), "00:00:00:00:00:00");
  (void)ensured();
  EXPECT_NE(mac(), "00:00:00:00:00:00");
  expect_kept(mac());
}

// Without sysfs of this namespace, which alone tells whether an address was set.
TEST_F(AdoptedGatewayTest, WhereItCannotBeToldThatItWasSetItIsKeptToo) {
  FAULT("D12 bridge's MAC");
  test::must_run({"mount", "-t", "tmpfs", "none", "/sys"});
  EXPECT_FALSE(net::has_fixed_mac(link("br0")));
  expect_kept(mac());
  test::must_run({"umount", "/sys"});
}

// Setting it again would make the host forget its neighbours, at each ADD.
TEST_F(AdoptedGatewayTest, OnceSetItIsNotSetAgain) {
  FAULT("D12 bridge's MAC");
  add_port("up0", "fe:ff:00:00:00:77");
  (void)ensured();
  EXPECT_EQ(net::has_fixed_mac(link("br0")), true);
  ip("addr add 10.1.0.1/24 dev br0");
  ip("neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 nud reachable dev br0");
  (void)ensured();
  EXPECT_EQ(test::neighbour_mac("10.1.0.9", "br0"), "02:00:00:00:00:09");
}

// ---- the mark

TEST_F(BridgeStepsTest, OnlyABridgeThatWasMadeHereIsRemoved) {
  FAULT("D15 deleteWhenEmpty");
  (void)ensured();
  EXPECT_EQ(seen("br0").at("ifalias"), "cnio bridge");
  EXPECT_EQ(seen("br0").at("group"), "default");
  ASSERT_OK(remove_bridge_if_empty(route(), config_));
  EXPECT_THAT(link_names(), IsEmpty());
  for (const char* alias : {"", "mine", "cnio bridge of mine"}) {
    ip("link add br0 type bridge");
    if (*alias != '\0') test::must_run({"ip", "link", "set", "br0", "alias", alias});
    EXPECT_FALSE(ensured().created);
    ASSERT_OK(remove_bridge_if_empty(route(), config_));
    EXPECT_THAT(link_names(), ElementsAre("br0")) << alias;
    ip("link del br0");
  }
}

// As an ADD leaves it that is killed before it has marked the bridge: scripts/faults finds it, too.
TEST_F(BridgeStepsTest, ABridgeWhoseMakerWasKilledIsOursToo) {
  FAULT("D15 deleteWhenEmpty");
  ip("link add br0 group 1668180335 type bridge");
  ASSERT_OK(remove_bridge_if_empty(route(), config_));
  EXPECT_THAT(link_names(), IsEmpty());
  ip("link add br0 group 1668180335 type bridge");
  EXPECT_FALSE(ensured().created);
  EXPECT_EQ(seen("br0").at("ifalias"), "cnio bridge");
  EXPECT_EQ(seen("br0").at("group"), "default");
  EXPECT_EQ(sysctl("net/ipv6/conf/br0/accept_ra"), "0");
  ip("link set br0 alias mine");
  ASSERT_OK(remove_bridge_if_empty(route(), config_));
  EXPECT_THAT(link_names(), ElementsAre("br0"));
}

TEST_F(BridgeStepsTest, AFailedAddRemovesTheBridgeThatItMade) {
  FAULT("D15 deleteWhenEmpty");
  Rollback undo;
  ASSERT_OK(ensure_bridge(route(), config_, undo));
  test::must_run({"ip", "link", "set", "br0", "alias", "renamed meanwhile"});
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_THAT(link_names(), IsEmpty());
}

TEST_F(BridgeStepsTest, AFailedAddKeepsABridgeThatTookThePlaceOfIts) {
  FAULT("D15 deleteWhenEmpty");
  Rollback undo;
  ASSERT_OK(ensure_bridge(route(), config_, undo));
  ip("link del br0");
  ip("link add br0 type bridge");
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_THAT(link_names(), ElementsAre("br0"));
}

// ---- the advice to replace an address

TEST_F(GatewayTest, ReplacingIsNotAdvisedWhereTheHostWouldLoseItsOwnAddress) {
  FAULT("D15 forceAddress");
  const auto hint = [&] {
    const auto refused = plan_gateway(route(), config_, cidrs({"10.1.0.1/24"}));
    EXPECT_ERROR(refused, Code::kConflict, "10.9.0.1/24");
    return test::details(refused);
  };
  bridge_ = ensured();
  ip("addr add 10.9.0.1/24 dev br0");
  EXPECT_THAT(hint(), HasSubstr("forceAddress"));
  ip("route add default via 10.9.0.254");
  EXPECT_THAT(hint(), Not(HasSubstr("forceAddress")));
  ip("route del default");
  ip("-6 route add default dev br0 table 77");
  EXPECT_THAT(hint(), Not(HasSubstr("forceAddress")));
  ip("-6 route del default dev br0 table 77");
  test::must_run({"ip", "link", "set", "br0", "alias", "lan"});
  EXPECT_THAT(hint(), Not(HasSubstr("forceAddress")));
}

// ---- IPv6 that the gateway's interface cannot have

TEST_F(GatewayTest, AnInterfaceWithoutIpv6IsAnErrorThatSaysWhy) {
  FAULT("D14 IPv6 off");
  bridge_ = ensured();
  const auto wanted = cidrs({"10.1.0.1/24", "fd01::1/64"});
  const auto hint = [&](std::string_view word) {
    const auto refused = plan_gateway(route(), config_, wanted);
    EXPECT_ERROR(refused, Code::kKernel, "br0", "fd01::1/64", word);
    return test::details(refused);
  };
  test::set_sysctl("net/ipv6/conf/br0/disable_ipv6", "1");
  EXPECT_THAT(hint("IPv6 is switched off"), HasSubstr("net.ipv6.conf.br0.disable_ipv6"));
  EXPECT_OK(plan_gateway(route(), config_, cidrs({"10.1.0.1/24"})));
  ip("link set br0 mtu 1279");
  EXPECT_THAT(hint("MTU of interface br0 is 1279"), HasSubstr("\"mtu\""));
  config_.mtu = 1279;
  EXPECT_THAT(hint("1280"), HasSubstr("\"mtu\""));
  config_.mtu_auto = true;
  EXPECT_THAT(hint("1280"), HasSubstr("\"auto\""));
  EXPECT_OK(plan_gateway(route(), config_, cidrs({"10.1.0.1/24"})));
}

// ---- the veth pair

class AttachmentTest : public BridgeStepsTest {
 protected:
  AttachmentTest() : sandbox_(net::Sandbox::open(test::add_netns("pod")).value()), bridge_(ensured()) {}

  static protocol::Request request(const std::string& container = "c1", const std::string& ifname = "eth0") {
    protocol::Request out;
    out.network = "n";
    out.attachment = {container, ifname};
    out.netns_path = "/run/netns/pod";
    return out;
  }
  Result<Veth> create(Rollback& undo, const protocol::Request& call = request()) {
    attachment::RecordedPair pair;
    pair.network = call.network;
    pair.attachment = call.attachment;
    pair.prefix = config_.host_prefix;
    pair.host_mac = MacAddr::random_high();
    pair.sandbox_mac = config_.mac.value_or(MacAddr::random());
    std::optional<attachment::AttachmentRecord> record;  // as on a host that cannot keep one
    CNIO_LET(const Veth veth,
             attachment::create_pair(route(), *sandbox_, call, {config_.mtu, bridge_.link.index}, pair, record, undo));
    CNIO_TRY(configure_attachment(route(), call, config_, veth));
    return veth;
  }
  // A pair that stays.
  Veth created(const protocol::Request& call = request()) {
    Rollback undo;
    auto veth = create(undo, call);
    EXPECT_OK(veth);
    undo.commit();
    return veth.ok() ? std::move(veth).value() : Veth{};
  }
  Leftover leftover(const protocol::Request& call = request(), const std::optional<AddResult>& prev = std::nullopt) {
    auto found = attachment::find_leftover(route(), sandbox_, call, network_of(config_), {}, prev);
    EXPECT_OK(found);
    return found.ok() ? std::move(found).value() : Leftover{};
  }

  std::optional<net::Sandbox> sandbox_;
  BridgeLink bridge_;
  const std::string pod_ = "/run/netns/pod";
};

TEST_F(AttachmentTest, IsMarkedAndJoinsItsBridge) {
  config_.mtu = 1400;
  config_.hairpin = true;
  config_.mac = MacAddr::parse("02:00:00:00:00:05");
  const Veth veth = created();
  EXPECT_EQ(veth.host_end.name, attachment::host_end_name("n", {"c1", "eth0"}, "veth"));
  EXPECT_EQ(veth.sandbox_end.name, "eth0");
  const Json host = seen(veth.host_end.name);
  EXPECT_EQ(host.at("master"), "br0");
  EXPECT_EQ(host.at("ifalias"), "cnio n/c1/eth0");
  EXPECT_EQ(host.at("mtu"), 1400);
  EXPECT_EQ(test::bridge_port(veth.host_end.name).at("hairpin"), true);
  EXPECT_THAT(host.at("flags"), ::testing::Not(Contains("UP")));
  EXPECT_EQ(seen("eth0", pod_).at("address"), "02:00:00:00:00:05");
  EXPECT_EQ(veth.sandbox_end.mac->to_string(), "02:00:00:00:00:05");
}

TEST_F(AttachmentTest, IsUndone) {
  Rollback undo;
  ASSERT_OK(create(undo));
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_THAT(link_names(), ElementsAre("br0"));
  EXPECT_THAT(link_names(pod_), IsEmpty());
}

TEST_F(AttachmentTest, UndoOfWhatIsGoneSucceeds) {
  Rollback undo;
  ASSERT_OK(create(undo));
  ip("link del eth0", pod_);
  EXPECT_THAT(undo.run(), IsEmpty());
}

TEST_F(AttachmentTest, ANameThatIsTakenOnTheHostIsAvoided) {
  const std::string first = attachment::host_end_name("n", {"c1", "eth0"}, "veth");
  ip("link add " + first + " type bridge");
  EXPECT_EQ(created().host_end.name, attachment::host_end_name("n", {"c1", "eth0"}, "veth", 1));
  EXPECT_EQ(seen(first).at("linkinfo").at("info_kind"), "bridge");
}

TEST_F(AttachmentTest, ANameThatIsTakenInTheSandboxIsAConflict) {
  EXPECT_OK(attachment::check_name_is_free(*sandbox_, request()));
  ip("link add eth0 type bridge", pod_);
  const Status taken = attachment::check_name_is_free(*sandbox_, request());
  EXPECT_ERROR(taken, Code::kConflict, "interface eth0 exists already in the sandbox /run/netns/pod");
  Rollback undo;
  EXPECT_FALSE(create(undo).ok());
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_THAT(link_names(), ElementsAre("br0"));
  EXPECT_EQ(seen("eth0", pod_).at("linkinfo").at("info_kind"), "bridge");
}

TEST_F(AttachmentTest, AnAlternativeNameInTheSandboxIsAConflict) {
  ip("link add other type bridge", pod_);
  ip("link property add dev other altname eth0", pod_);
  EXPECT_ERROR(attachment::check_name_is_free(*sandbox_, request()), Code::kConflict,
               "eth0 is an alternative name of the interface other in the sandbox /run/netns/pod");
}

TEST_F(AttachmentTest, BothEndsAreWaitedFor) {
  const Veth veth = created();
  ip("link set eth0 up", pod_);
  ASSERT_OK(net::set_link_up(route(), veth.host_end));
  EXPECT_OK(attachment::wait_for_pair(route(), *sandbox_, veth));
  EXPECT_EQ(seen(veth.host_end.name).at("operstate"), "UP");
  EXPECT_EQ(seen("eth0", pod_).at("operstate"), "UP");
}

// ---- what DEL finds

TEST_F(AttachmentTest, ItsOwnPairIsFound) {
  const Veth veth = created();
  const Leftover left = leftover();
  ASSERT_EQ(left.host_ends.size(), 1U);
  EXPECT_EQ(left.host_ends[0].index, veth.host_end.index);
  EXPECT_EQ(left.host_ends[0].peer, veth.sandbox_end.index);
  EXPECT_EQ(left.foreign, "");
}

TEST_F(AttachmentTest, ItsPairIsFoundWithoutTheSandbox) {
  PARITY("T53");
  const Veth veth = created();
  sandbox_.reset();
  const Leftover left = leftover();
  ASSERT_EQ(left.host_ends.size(), 1U);
  EXPECT_EQ(left.host_ends[0].index, veth.host_end.index);
}

// Its first name was taken when it was made, by a link that is gone now.
TEST_F(AttachmentTest, ItsPairIsFoundWithoutTheSandboxUnderItsSecondName) {
  const std::string first = attachment::host_end_name("n", {"c1", "eth0"}, "veth");
  ip("link add " + first + " type bridge");
  const Veth veth = created();
  sandbox_.reset();
  EXPECT_EQ(leftover().host_ends.at(0).index, veth.host_end.index);
  ip("link del " + first);
  EXPECT_EQ(leftover().host_ends.at(0).index, veth.host_end.index);
}

// Both ends bear the numbers that ours name as their peers, and yet they belong to others.
TEST_F(AttachmentTest, APairIntoAThirdNamespaceIsNotTakenForTheSandboxs) {
  (void)test::add_netns("third");
  ip("link add eth0 index 50 type veth peer name p0 index 60 netns third", pod_);
  ip("link add v0 index 60 type veth peer name e0 index 50 netns third");
  ip("link set v0 master br0");
  EXPECT_THAT(leftover().foreign, HasSubstr("interface eth0 left alone: it is no veth with an end on this host"));
}

TEST_F(AttachmentTest, ItsPairIsFoundUnderAnotherNameInTheSandbox) {
  const Veth veth = created();
  ip("link set eth0 name renamed", pod_);
  EXPECT_EQ(leftover().host_ends.at(0).index, veth.host_end.index);
}

TEST_F(AttachmentTest, NothingIsFoundWhenNothingIsThere) {
  const Leftover left = leftover();
  EXPECT_THAT(left.host_ends, IsEmpty());
  EXPECT_EQ(left.foreign, "");
}

// D45: the reference removes whatever bears the name.
TEST_F(AttachmentTest, LinksOfOthersAreLeftAlone) {
  PARITY("D45");
  ip("link add eth0 type bridge", pod_);
  EXPECT_THAT(leftover().host_ends, IsEmpty());
  EXPECT_THAT(leftover().foreign, HasSubstr("interface eth0 left alone: it is no veth"));
  ip("link del eth0", pod_);

  (void)created(request("other", "eth0"));
  EXPECT_THAT(leftover().host_ends, IsEmpty());
  EXPECT_THAT(leftover().foreign, HasSubstr("belongs to \"cnio n/other/eth0\""));
  ip("link del eth0", pod_);

  ip("link add manual type veth peer name eth0 netns pod");
  EXPECT_THAT(leftover().host_ends, IsEmpty());
  EXPECT_THAT(leftover().foreign, HasSubstr("is not in bridge br0"));
}

TEST_F(AttachmentTest, PairsThatTheReferenceMadeAreFound) {
  ip("link add vethabcdef01 type veth peer name eth0 netns pod");
  ip("link set vethabcdef01 master br0");
  EXPECT_EQ(leftover().host_ends.at(0).name, "vethabcdef01");
  // Or in a bridge that has another name by now, if the recorded result lists it.
  ip("link set vethabcdef01 nomaster");
  EXPECT_THAT(leftover().host_ends, IsEmpty());
  AddResult prev;
  prev.interfaces.emplace_back().name = "vethabcdef01";
  EXPECT_EQ(leftover(request(), prev).host_ends.at(0).name, "vethabcdef01");
}

// ---- what GC removes

TEST_F(AttachmentTest, StaleLinksAreThoseOfTheNetworkThatAreNotValid) {
  PARITY("T63");
  const Veth valid = created(request("c1", "eth0"));
  const Veth stale = created(request("c2", "eth1"));
  protocol::Request other = request("c3", "eth2");
  other.network = "m";
  const Veth foreign = created(other);
  ip("link add manual type veth peer name eth3 netns pod");
  ip("link set manual master br0");
  ASSERT_OK(attachment::remove_stale_links(route(), 1, network_of(config_), "n", {{"c1", "eth0"}}));
  EXPECT_THAT(link_names(), UnorderedElementsAre("br0", valid.host_end.name, foreign.host_end.name, "manual"));
  ASSERT_OK(attachment::remove_stale_links(route(), 1, network_of(config_), "n", {}));
  EXPECT_THAT(link_names(), UnorderedElementsAre("br0", foreign.host_end.name, "manual"));
  config_.bridge = "none";
  EXPECT_OK(attachment::remove_stale_links(route(), 1, network_of(config_), "n", {}));
}

// ---- the sandbox's end

class SandboxEndTest : public AttachmentTest {
 protected:
  SandboxEndTest() : veth_(created()) {}
  Status configure(const std::vector<std::string>& addresses, const std::vector<net::RouteSpec>& routes = {}) {
    AddResult result;
    for (const auto& text : addresses) result.ips.push_back({cidr(text), std::nullopt, std::nullopt});
    CNIO_TRY(attachment::configure_sandbox_end(route(), *sandbox_, veth_, network_of(config_), result, routes));
    return {};
  }
  Veth veth_;
};

TEST_F(SandboxEndTest, GetsAddressesAndRoutesAndIsUp) {
  net::RouteSpec v4;
  v4.dst = cidr("0.0.0.0/0");
  v4.gateway = IpAddr::parse("10.1.0.1");
  net::RouteSpec v6;
  v6.dst = cidr("::/0");
  v6.gateway = IpAddr::parse("fd01::1");
  ASSERT_OK(configure({"10.1.0.5/24", "fd01::5/64"}, {v4, v6}));
  EXPECT_THAT(seen("eth0", pod_).at("flags"), Contains("UP"));
  EXPECT_THAT(seen(veth_.host_end.name).at("flags"), Contains("UP"));
  EXPECT_THAT(address_texts("eth0", pod_), ElementsAre("10.1.0.5/24", "fd01::5/64"));
  EXPECT_EQ(test::routes_to("default", pod_).at(0).at("gateway"), "10.1.0.1");
  EXPECT_EQ(test::routes_to("default", pod_, "-6").at(0).at("gateway"), "fd01::1");
}

TEST_F(SandboxEndTest, Ipv6SettingsAreMadeForIpv6Addresses) {
  PARITY("T36");
  test::set_sysctl("net/ipv6/conf/all/disable_ipv6", "1", pod_);
  ASSERT_OK(configure({"fd01::5/64"}));
  const auto setting = [&](const std::string& name) { return sysctl("net/ipv6/conf/" + name, pod_); };
  EXPECT_EQ(setting("eth0/disable_ipv6"), "0");
  EXPECT_EQ(setting("lo/disable_ipv6"), "0");
  EXPECT_EQ(setting("eth0/keep_addr_on_down"), "1");
  EXPECT_EQ(setting("eth0/accept_dad"), "0");
  EXPECT_EQ(sysctl("net/ipv4/conf/eth0/arp_notify", pod_), "1");
  for (const auto& address : test::addresses("eth0", pod_)) EXPECT_FALSE(address.contains("tentative"));
}

TEST_F(SandboxEndTest, Ipv6IsSwitchedOnForAnIpv6RouteToo) {
  FAULT("D14 IPv6 off");
  test::set_sysctl("net/ipv6/conf/all/disable_ipv6", "1", pod_);
  net::RouteSpec v6;
  v6.dst = cidr("::/0");
  ASSERT_OK(configure({"10.1.0.5/24"}, {v6}));
  EXPECT_EQ(test::routes_to("default", pod_, "-6").size(), 1U);
}

TEST_F(SandboxEndTest, AComfortThatCannotBeSetIsOnlyTold) {
  FAULT("D14 read-only settings");
  test::must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
  test::must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  ::testing::internal::CaptureStderr();
  const Status done = configure({"fd01::5/64"});
  const std::string told = ::testing::internal::GetCapturedStderr();
  test::must_run({"umount", "/proc/sys"});
  EXPECT_OK(done);
  EXPECT_THAT(told, HasSubstr("eth0"));
  EXPECT_THAT(address_texts("eth0", pod_), ElementsAre("fd01::5/64"));
}

TEST_F(SandboxEndTest, ANeedThatCannotBeSetSaysWhatToDo) {
  FAULT("D14 read-only settings");
  test::set_sysctl("net/ipv6/conf/eth0/disable_ipv6", "1", pod_);
  test::must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
  test::must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  const Status done = configure({"fd01::5/64"});
  test::must_run({"umount", "/proc/sys"});
  EXPECT_ERROR(done, Code::kIo, "switch IPv6 on in the sandbox", "disable_ipv6", "Read-only");
  EXPECT_THAT(test::details(done), HasSubstr("runtime"));
}

TEST_F(SandboxEndTest, AnMtuThatIsTooSmallForIpv6IsNamed) {
  FAULT("D14 MTU below 1280");
  ip("link set eth0 mtu 1279", pod_);
  veth_.sandbox_end = net::find_link(sandbox_->route(), "eth0").value().value();
  EXPECT_ERROR(configure({"10.1.0.5/24", "fd01::5/64"}), Code::kKernel, "MTU of interface eth0 is 1279", "1280");
  EXPECT_OK(configure({"10.1.0.5/24"}));
}

TEST_F(SandboxEndTest, Ipv6SettingsStayWithoutIpv6Addresses) {
  test::set_sysctl("net/ipv6/conf/all/disable_ipv6", "1", pod_);
  ASSERT_OK(configure({"10.1.0.5/24"}));
  EXPECT_EQ(sysctl("net/ipv6/conf/eth0/disable_ipv6", pod_), "1");
  EXPECT_EQ(sysctl("net/ipv6/conf/lo/disable_ipv6", pod_), "1");
}

TEST_F(SandboxEndTest, AnAddressOfSomeoneElseIsDetectedIfWanted) {
  PARITY("T37");
  ip("addr add fd01::5/64 dev br0 nodad");
  config_.detect_duplicates = true;
  EXPECT_ERROR(configure({"fd01::5/64"}), Code::kConflict, "fd01::5/64", "duplicate address detection failed");
  EXPECT_EQ(sysctl("net/ipv6/conf/eth0/accept_dad", pod_), "1");
  ip("addr flush dev eth0", pod_);
  EXPECT_OK(configure({"fd01::6/64"}));
}

TEST_F(SandboxEndTest, ARouteThatCannotBeIsNamed) {
  net::RouteSpec route_spec;
  route_spec.dst = cidr("10.0.0.0/8");
  route_spec.gateway = IpAddr::parse("192.0.2.1");
  EXPECT_ERROR(configure({"10.1.0.5/24"}, {route_spec}), Code::kKernel, "add route 10.0.0.0/8 via 192.0.2.1 dev eth0",
               "Nexthop has invalid gateway");
}

}  // namespace
}  // namespace cnio::bridge
