// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bridge_fixture.hpp"

namespace cnio::bridge {
namespace {

using test::link_names;
using test::sysctl;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

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

}  // namespace
}  // namespace cnio::bridge
