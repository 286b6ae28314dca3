// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// `macspoofchk`: rules, their effect on frames, and their removal by either implementation.
#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

class SpoofCheck : public BridgeTest {
 protected:
  SpoofCheck() { config_["macspoofchk"] = true; }

  static Json added(const Json& config, const Attachment& attachment) {
    return with_prev_result(config, must_add(config, attachment));
  }
  static void change_mac(const Attachment& attachment, const std::string& mac) {
    must_run({"ip", "link", "set", "eth0", "address", mac}, attachment.netns);
  }
  /// Chains and rules of the table `bridge nat` that mention the text.
  static std::size_t count(const std::string& text) { return nft_objects_with(text).size(); }

  Json config_ = bridge_config();
};

TEST_F(SpoofCheck, HasTheReferencesRules) {
  PARITY("T72");
  const Json result = must_add(config_, pod());
  const std::string mac = result.at("interfaces").at(2).at("mac").get<std::string>();
  const std::string port = host_end(result);
  EXPECT_EQ(nft_objects_with(R"("name":"PREROUTING")").size(), 1U);
  EXPECT_EQ(nft_objects_with(R"("hook":"prerouting")").size(), 1U);
  EXPECT_EQ(nft_objects_with(R"("prio":-300)").size(), 1U);
  EXPECT_EQ(nft_objects_with(R"("name":"cni-br-iface-c1-eth0")").size(), 1U);
  EXPECT_EQ(nft_objects_with(R"("name":"cni-br-iface-c1-eth0-mac")").size(), 1U);
  EXPECT_EQ(count("\"comment\":\"macspoofchk-c1-eth0\""), 4U);
  EXPECT_EQ(count("\"right\":\"" + port + "\""), 1U);
  EXPECT_EQ(count("\"right\":\"" + mac + "\""), 1U);
  EXPECT_EQ(count("\"drop\":null"), 1U);
}

TEST_F(SpoofCheck, FramesFromAnotherAddressAreDropped) {
  PARITY("T72");
  must_add(config_, pod("c1"));
  must_add(config_, pod("c2"));
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.3"));
  change_mac(pod("c1"), "02:00:00:00:00:77");
  EXPECT_FALSE(ping(pod("c1").netns, "10.1.0.3"));
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1")) << "others are not concerned";
}

TEST_F(SpoofCheck, WorksWithoutIpam) {
  PARITY("T72");
  Json config = layer2_config();
  config["macspoofchk"] = true;
  must_add(config, pod());
  EXPECT_EQ(count("\"comment\":\"macspoofchk-c1-eth0\""), 4U);
  must_del(config, pod());
  EXPECT_EQ(count("macspoofchk"), 0U);
}

TEST_F(SpoofCheck, DeleteRemovesItsOwnRulesAlone) {
  PARITY("T72");
  must_add(config_, pod("c1"));
  must_add(config_, pod("c2"));
  must_del(config_, pod("c1"));
  EXPECT_EQ(count("c1-eth0"), 0U);
  EXPECT_EQ(count("\"comment\":\"macspoofchk-c2-eth0\""), 4U);
  must_del(config_, pod("c1"));
  must_del(config_, pod("c2"));
  EXPECT_TRUE(nft_objects().empty()) << "the table goes with the last rule";
}

TEST_F(SpoofCheck, TablesOfOthersStay) {
  PARITY("T72");
  must_feed({"nft", "-f", "-"}, "table bridge nat {\n chain OTHERS {\n }\n}\n");
  must_add(config_, pod());
  must_del(config_, pod());
  EXPECT_EQ(count("OTHERS"), 1U);
  EXPECT_EQ(count("c1-eth0"), 0U);
}

TEST_F(SpoofCheck, RulesGoThoughTheKeyOrTheSandboxAreGone) {
  PARITY("T72 D18");
  must_add(config_, pod());
  config_.erase("macspoofchk");
  Attachment attachment = pod();
  delete_netns("c1");
  must_del(config_, attachment);
  EXPECT_EQ(count("macspoofchk"), 0U);
}

TEST_F(SpoofCheck, NeedsNoProgram) {
  PARITY("T73");
  for (const char* verb : {"ADD", "DEL"}) {
    Command command = plugin_command({"bridge", verb, pod(), config_.dump()});
    command.env["PATH"] = "/nowhere";
    EXPECT_TRUE(succeeded(run(command))) << verb;
    EXPECT_EQ(count("macspoofchk-c1-eth0"), *verb == 'A' ? 4U : 0U);
  }
}

TEST_F(SpoofCheck, AFailedAddLeavesNoRule) {
  PARITY("D14 T64");
  config_["ipam"]["ranges"] = Json::parse(R"([[{"subnet": "10.1.0.0/30"}]])");
  must_add(config_, pod("c1"));
  EXPECT_TRUE(failed(add(config_, pod("c2")), code::kNoAddress));
  EXPECT_EQ(count("c2-eth0"), 0U);
  EXPECT_EQ(count("\"comment\":\"macspoofchk-c1-eth0\""), 4U);
}

TEST_F(SpoofCheck, TheReferencesRulesAreCheckedAndRemoved) {
  PARITY("T72 T67");
  const Outcome outcome = by_reference("ADD", config_, pod());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.out;
  ASSERT_EQ(count("macspoofchk-c1-eth0"), 4U);
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, Json::parse(outcome.out)), pod())));
  must_del(config_, pod());
  EXPECT_EQ(count("macspoofchk"), 0U);
  EXPECT_EQ(count("cni-br-iface"), 0U);
}

TEST_F(SpoofCheck, TheReferenceRemovesOurRules) {
  PARITY("T72 T67");
  must_add(config_, pod());
  const Outcome outcome = by_reference("DEL", config_, pod());
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  EXPECT_EQ(count("macspoofchk"), 0U) << outcome.err;
  EXPECT_EQ(count("cni-br-iface"), 0U) << outcome.err;
}

TEST_F(SpoofCheck, GarbageCollectionKeepsTheValid) {
  PARITY("T63");
  must_add(config_, pod("c1"));
  must_add(config_, pod("c2"));
  Json other = config_;
  other["name"] = "othernet";
  must_add(other, pod("c3"));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config_, {{"c1", "eth0"}}))));
  EXPECT_EQ(count("\"comment\":\"macspoofchk-c1-eth0\""), 4U);
  EXPECT_EQ(count("c2-eth0"), 0U);
  EXPECT_EQ(count("\"comment\":\"macspoofchk-c3-eth0\""), 4U) << "of another network";
}

TEST_F(SpoofCheck, GarbageCollectionTakesDeadRulesOfTheReference) {
  PARITY("T63");
  ASSERT_EQ(by_reference("ADD", config_, pod("c1")).exit_code, 0);
  ASSERT_EQ(by_reference("ADD", config_, pod("c2")).exit_code, 0);
  must_run({"ip", "link", "del", "eth0"}, pod("c2").netns);
  EXPECT_TRUE(failed(gc(with_valid_attachments(config_, {})), code::kInTheWay, {"left alone"}));
  EXPECT_EQ(count("c2-eth0"), 0U);
  EXPECT_EQ(count("macspoofchk-c1-eth0"), 4U) << "its port lives, and nothing says whose it is";
}

TEST_F(SpoofCheck, AnAttachmentOfTheSameNameInAnotherNetworkKeepsItsRules) {
  must_add(config_, pod());
  Json other = bridge_config({"10.2.0.0/24"});
  other["name"] = "othernet";
  other["bridge"] = "br1";
  const Attachment elsewhere = {"c1", add_netns("elsewhere"), "eth0", ""};
  must_add(other, elsewhere);
  must_del(other, elsewhere);
  EXPECT_EQ(count("\"comment\":\"macspoofchk-c1-eth0\""), 4U);
}

TEST_F(SpoofCheck, RulesOfANetworkThatHasAnotherNameByNowGo) {
  FAULT("B6 renamed network");
  must_add(config_, pod());
  Json renamed = config_;
  renamed["name"] = "newnet";
  renamed.erase("macspoofchk");
  must_del(renamed, pod());
  EXPECT_EQ(count("c1-eth0"), 0U);
}

TEST_F(SpoofCheck, LongNamesFit) {
  Attachment attachment = pod();
  attachment.container = std::string(300, 'x');
  attachment.ifname = "eth-mac";
  must_add(config_, attachment);
  EXPECT_EQ(count(R"("drop":null)"), 1U);
  must_del(config_, attachment);
  EXPECT_EQ(count("macspoofchk"), 0U);
}

/// Changes by hand that CHECK has to name.
struct Damage {
  std::string name;
  std::string script;
  std::string complaint;
};
void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

class DamagedSpoofCheck : public SpoofCheck, public ::testing::WithParamInterface<Damage> {};
INSTANTIATE_TEST_SUITE_P(
    Table, DamagedSpoofCheck,
    ::testing::Values(Damage{"EntryGone", "flush chain bridge nat PREROUTING", "PREROUTING"},
                      Damage{"PortChainEmpty", "flush chain bridge nat cni-br-iface-c1-eth0", "cni-br-iface-c1-eth0"},
                      Damage{"MacChainEmpty", "flush chain bridge nat cni-br-iface-c1-eth0-mac", "other rules"},
                      Damage{"MacChanged",
                             "flush chain bridge nat cni-br-iface-c1-eth0-mac\n"
                             "add rule bridge nat cni-br-iface-c1-eth0-mac ether saddr 02:00:00:00:00:77 return\n"
                             "add rule bridge nat cni-br-iface-c1-eth0-mac drop",
                             "those from 02:00:00:00:00:77"},
                      Damage{"TableGone", "delete table bridge nat", "PREROUTING"}),
    [](const auto& test) { return test.param.name; });

TEST_P(DamagedSpoofCheck, IsNoticed) {
  PARITY("T61");
  const Json config = added(config_, pod());
  ASSERT_TRUE(succeeded_silently(check(config, pod())));
  must_feed({"nft", "-f", "-"}, GetParam().script + "\n");
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"spoof check", "expected", "found", GetParam().complaint}));
}

/// The table `bridge nat` as a user may have made it, or may have changed it under a pod.
struct Shape {
  std::string name;
  std::string table;   // before ADD
  std::string change;  // after it
  std::string complaint;
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

std::string with_entry(const std::string& hook) {
  return "delete chain bridge nat PREROUTING\nadd chain bridge nat PREROUTING " + hook +
         "\nadd rule bridge nat PREROUTING iifname HOST_END jump cni-br-iface-c1-eth0";
}

class HostileBridgeTable : public SpoofCheck, public ::testing::WithParamInterface<Shape> {
 protected:
  static void load(const std::string& script) { must_feed({"nft", "-f", "-"}, script + "\n"); }
};
INSTANTIATE_TEST_SUITE_P(
    Table, HostileBridgeTable,
    ::testing::Values(
        Shape{"Dormant", "add table bridge nat { flags dormant; }", "add table bridge nat { flags dormant; }",
              "is dormant"},
        Shape{"NoBaseChain", "add table bridge nat\nadd chain bridge nat PREROUTING", with_entry(""),
              "is no base chain"},
        Shape{"OtherHook",
              "add table bridge nat\nadd chain bridge nat PREROUTING { type filter hook forward priority -300; }",
              with_entry("{ type filter hook forward priority -300; }"), "at hook forward"},
        Shape{"OtherPriority",
              "add table bridge nat\nadd chain bridge nat PREROUTING { type filter hook prerouting priority 0; }",
              with_entry("{ type filter hook prerouting priority 0; }"), "with priority 0"},
        Shape{
            "DropsByPolicy",
            "add table bridge nat\nadd chain bridge nat PREROUTING { type filter hook prerouting priority -300; policy "
            "drop; }",
            "add chain bridge nat PREROUTING { policy drop; }", "drops by policy"}),
    [](const auto& test) { return test.param.name; });

TEST_P(HostileBridgeTable, IsRefusedAndLeftAlone) {
  FAULT("A4 shared");
  load(GetParam().table + "\nadd chain bridge nat theirs { type filter hook forward priority 0; policy drop; }");
  const std::vector<std::string> before = nft_objects();
  EXPECT_TRUE(failed(add(config_, pod()), code::kInTheWay, {"spoof check", GetParam().complaint}));
  EXPECT_TRUE(failed(status(config_), code::kUnavailable, {GetParam().complaint}));
  EXPECT_EQ(nft_objects(), before);
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
}

TEST_P(HostileBridgeTable, IsFoundByCheck) {
  FAULT("A4 shared");
  const Json result = must_add(config_, pod());
  const Json config = with_prev_result(config_, result);
  std::string change = GetParam().change;
  if (const size_t at = change.find("HOST_END"); at != std::string::npos) change.replace(at, 8, host_end(result));
  load(change);
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"spoof check", "expected", GetParam().complaint}));
  EXPECT_TRUE(succeeded_silently(del(config_, pod())));
  EXPECT_EQ(count("c1-eth0"), 0U);
}

TEST_F(SpoofCheck, ARuleInFrontThatLetsAllPassIsNoticed) {
  FAULT("A4 shared");
  for (const bool for_port : {false, true}) {
    const Json result = must_add(config_, pod());
    const Json config = with_prev_result(config_, result);
    must_feed({"nft", "-f", "-"}, "insert rule bridge nat PREROUTING iifname other accept\n");
    EXPECT_TRUE(succeeded_silently(check(config, pod()))) << "it is not about this port";
    const std::string rule = for_port ? "iifname " + host_end(result) + " return" : "accept";
    must_feed({"nft", "-f", "-"}, "insert rule bridge nat PREROUTING " + rule + "\n");
    EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"a rule in front of it"}));
    must_del(config_, pod());
    must_run({"nft", "delete", "table", "bridge", "nat"});
  }
}

/// What a user put into the table, and what of ours is gone besides, so that counting would not notice.
struct Guest {
  std::string name;
  std::string script;
  std::string stays;
};
void PrintTo(const Guest& guest, std::ostream* out) { *out << guest.name; }

class SpoofCheckWithAGuest : public SpoofCheck, public ::testing::WithParamInterface<Guest> {};
INSTANTIATE_TEST_SUITE_P(
    Table, SpoofCheckWithAGuest,
    ::testing::Values(
        Guest{"Chain", "add chain bridge nat mine", "mine"},
        Guest{"BaseChain", "add chain bridge nat mine { type filter hook forward priority 0; }", "mine"},
        Guest{"Set", "add set bridge nat mine { type ether_addr; }", "mine"},
        Guest{"Counter", "add counter bridge nat mine", "mine"},
        Guest{"Rule", "add rule bridge nat PREROUTING ether type 0x88cc drop", "ether type 0x88cc"},
        Guest{"RuleInFront", "insert rule bridge nat PREROUTING ether type 0x88cc drop", "ether type 0x88cc"},
        Guest{"RuleAndChain", "add chain bridge nat mine\nadd rule bridge nat PREROUTING ether type 0x88cc jump mine",
              "ether type 0x88cc"}),
    [](const auto& test) { return test.param.name; });

TEST_P(SpoofCheckWithAGuest, LeavesItAlone) {
  FAULT("A4 guest");
  const std::string gone_mac =
      "flush chain bridge nat cni-br-iface-c1-eth0\ndelete chain bridge nat "
      "cni-br-iface-c1-eth0-mac\n";
  const std::string gone_entry = "flush chain bridge nat PREROUTING\ndelete chain bridge nat PREROUTING\n";
  const bool in_entry = GetParam().name.starts_with("Rule");
  for (const std::string& missing : {std::string(), gone_mac, in_entry ? gone_mac : gone_entry}) {
    must_add(config_, pod());
    must_feed({"nft", "-f", "-"}, missing + GetParam().script + "\n");
    must_del(config_, pod());
    EXPECT_NE(must_run({"nft", "list", "ruleset"}).find(GetParam().stays), std::string::npos) << missing;
    EXPECT_EQ(count("c1-eth0"), 0U) << missing;
    must_run({"nft", "delete", "table", "bridge", "nat"});
  }
}

TEST_F(SpoofCheck, AnEmptyChainThatWasThereBeforeStays) {
  FAULT("A4 guest");
  must_feed({"nft", "-f", "-"},
            "add table bridge nat\nadd chain bridge nat PREROUTING { type filter hook prerouting priority -300; }\n");
  const std::vector<std::string> before = nft_objects();
  must_add(config_, pod());
  must_del(config_, pod());
  EXPECT_EQ(nft_objects(), before);
}

TEST_F(SpoofCheck, ARuleOfSomebodyElseThatLeadsToTheChainDoesNotStopDel) {
  FAULT("A4 guest");
  must_add(config_, pod());
  must_feed({"nft", "-f", "-"}, "add chain bridge nat mine\nadd rule bridge nat mine jump cni-br-iface-c1-eth0\n");
  must_del(config_, pod());
  EXPECT_EQ(count("\"drop\":null"), 0U);
  EXPECT_EQ(count(R"("target":"cni-br-iface-c1-eth0")"), 1U) << "the user's";
  must_add(config_, pod());
}

}  // namespace
}  // namespace cnio::test
