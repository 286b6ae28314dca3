// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/identity.hpp"

#include "bridge_fixture.hpp"

namespace cnio::bridge {
namespace {

using attachment::Leftover;
using attachment::Veth;
using protocol::AddResult;
using test::Json;
using test::link_names;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

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

}  // namespace
}  // namespace cnio::bridge
