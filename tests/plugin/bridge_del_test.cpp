// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// DEL of bridge, whatever state it finds. What it does to masquerade rules is in masquerade_test.cpp.
#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

class BridgeDel : public BridgeTest {
 protected:
  static bool nothing_left() {
    return names_on_bridge().empty() && !store_holds("10.1.0.2") && nft_objects_with("10.1.0.2").empty();
  }

  const Json config_ = bridge_config();
};

TEST_F(BridgeDel, RemovesLinkAndReservation) {
  PARITY("T52");
  must_add(config_, pod());
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
  EXPECT_TRUE(nothing_left());
  EXPECT_TRUE(link_names(pod().netns).empty());
}

TEST_F(BridgeDel, CanBeRepeated) {
  PARITY("T52");
  must_add(config_, pod());
  must_del(config_, pod());
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
}

TEST_F(BridgeDel, SucceedsWithoutAnAddBefore) {
  PARITY("T52");
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
  EXPECT_TRUE(find_link("br0").is_null()) << "DEL makes nothing";
}

TEST_F(BridgeDel, KeepsTheBridgeWithItsAddress) {
  PARITY("T52");
  must_add(config_, pod());
  must_del(config_, pod());
  EXPECT_TRUE(is_up("br0"));
  EXPECT_EQ(address_texts("br0"), (std::vector<std::string>{"10.1.0.1/24"}));
}

TEST_F(BridgeDel, LeavesTheHostAsTheFirstAttachmentFoundIt) {
  PARITY("T52");
  Json config = dual_stack_config();
  config["ipMasq"] = true;
  must_add(config, pod("c1"));
  const Snapshot before = Snapshot::of_host().without_cursors();
  must_add(config, pod("c2"));
  must_del(config, pod("c2"));
  EXPECT_TRUE(same(before, Snapshot::of_host().without_cursors()));
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.1"));
}

TEST_F(BridgeDel, ReAddAfterwardsWorks) {
  PARITY("T52");
  for (int turn = 0; turn < 3; ++turn) {
    must_add(config_, pod());
    EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
    must_del(config_, pod());
  }
}

TEST_F(BridgeDel, WorksWithAndWithoutPrevResult) {
  PARITY("T52");
  const Json result = must_add(config_, pod("c1"));
  EXPECT_TRUE(succeeded_silently(del(with_prev_result(config_, result), pod("c1"))));
  EXPECT_TRUE(nothing_left());
  must_add(config_, pod("c1"));
  EXPECT_TRUE(succeeded_silently(del(with_prev_result(config_, nullptr), pod("c1"))));
  EXPECT_TRUE(names_on_bridge().empty());
}

TEST_F(BridgeDel, NamespaceDeleted) {
  PARITY("T16 T53 D18");
  const Attachment attachment = pod();
  must_add(config_, attachment);
  delete_netns("c1");
  EXPECT_TRUE(succeeded_silently(del(config_, attachment)));
  EXPECT_TRUE(nothing_left());
}

TEST_F(BridgeDel, NamespaceUnset) {
  PARITY("T53 D18");
  Attachment attachment = pod();
  must_add(config_, attachment);
  attachment.netns = "";
  EXPECT_TRUE(succeeded_silently(del(config_, attachment)));
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_TRUE(names_on_bridge().empty()) << "the host end is known by the attachment";
}

TEST_F(BridgeDel, NamespaceReplacedByAFile) {
  PARITY("T17 D21");
  Attachment attachment = pod();
  must_add(config_, attachment);
  delete_netns("c1");
  write_file(attachment.netns, "");
  EXPECT_TRUE(succeeded_silently(del(config_, attachment)));
  EXPECT_TRUE(nothing_left());
}

TEST_F(BridgeDel, LinkGone) {
  PARITY("T54 D19");
  must_add(config_, pod());
  must_run({"ip", "link", "del", "eth0"}, pod().netns);
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
  EXPECT_TRUE(nothing_left());
}

TEST_F(BridgeDel, AddressesFlushed) {
  PARITY("T54 D19");
  must_add(config_, pod());
  must_run({"ip", "addr", "flush", "dev", "eth0"}, pod().netns);
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
  EXPECT_TRUE(nothing_left());
}

TEST_F(BridgeDel, BridgeGone) {
  must_add(config_, pod());
  must_run({"ip", "link", "del", "br0"});
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
  EXPECT_TRUE(link_names(pod().netns).empty());
  EXPECT_FALSE(store_holds("10.1.0.2"));
}

TEST_F(BridgeDel, LinkRenamedInTheSandboxGoesToo) {
  PARITY("T54");
  must_add(config_, pod());
  must_run({"ip", "link", "set", "eth0", "down"}, pod().netns);
  must_run({"ip", "link", "set", "eth0", "name", "renamed"}, pod().netns);
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
  EXPECT_TRUE(nothing_left());
}

TEST_F(BridgeDel, LinkItDidNotMakeIsLeftAlone) {
  PARITY("D45");
  const Attachment attachment = pod();
  must_run({"ip", "link", "add", "eth0", "type", "bridge"}, attachment.netns);
  EXPECT_TRUE(succeeded_silently(del(config_, attachment)));
  EXPECT_FALSE(find_link("eth0", attachment.netns).is_null());
  must_run({"ip", "link", "del", "eth0"}, attachment.netns);
  must_run({"ip", "link", "add", "eth0", "type", "veth", "peer", "name", "inner"}, attachment.netns);
  EXPECT_TRUE(succeeded_silently(del(config_, attachment)));
  EXPECT_FALSE(find_link("eth0", attachment.netns).is_null()) << "a veth pair that never was on the bridge";
}

TEST_F(BridgeDel, LoopbackInterfaceIsNoReasonToFail) {
  EXPECT_TRUE(succeeded_silently(del(config_, pod("c1", "lo"))));
  EXPECT_FALSE(find_link("lo", pod("c1").netns).is_null());
}

TEST_F(BridgeDel, OtherAttachmentsAreUntouched) {
  must_add(config_, pod("c1"));
  must_add(config_, pod("c1", "eth1"));
  must_add(config_, pod("c2"));
  must_del(config_, pod("c1"));
  EXPECT_EQ(names_on_bridge().size(), 2U);
  EXPECT_TRUE(store_holds("10.1.0.3"));
  EXPECT_TRUE(store_holds("10.1.0.4"));
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.3"));
}

TEST_F(BridgeDel, RemovesWhatTheReferenceMade) {
  PARITY("T67");
  Command command = plugin_command({"bridge", "ADD", pod(), bridge_config({"10.1.0.0/24"}, "1.0.0").dump()});
  command.argv = {reference_dir() + "/bridge"};
  command.env["CNI_PATH"] = reference_dir();
  ASSERT_TRUE(succeeded(run(command)));
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
  EXPECT_TRUE(nothing_left());
  EXPECT_TRUE(link_names(pod().netns).empty());
}

TEST_F(BridgeDel, FailingIpamIsReportedAfterEverythingElseIsDone) {
  PARITY("T55 D20");
  FakeIpam fake;
  fake.answer("ADD", Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]})"));
  fake.script("DEL", {{.out = R"({"cniVersion": "1.1.0", "code": 11, "msg": "busy"})", .exit_code = 1}, {}});
  Json config = fake_config();
  config["ipMasq"] = true;
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", config, pod()))));
  EXPECT_TRUE(failed(run(with_fake(fake, "DEL", config, pod())), code::kTryAgain, {"busy"}));
  EXPECT_TRUE(nothing_left()) << "link and rules do not wait for IPAM";
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", config, pod()))));
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "DEL", "DEL"}));
}

TEST_F(BridgeDel, Layer2) {
  PARITY("T52");
  must_add(layer2_config(), pod());
  EXPECT_TRUE(succeeded_silently(del(layer2_config(), pod())));
  EXPECT_TRUE(names_on_bridge().empty());
}

}  // namespace
}  // namespace cnio::test
