// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// ADDs that are killed, that are refused, and containers that start again: who lives keeps what it has, and nothing of
// the others stays.
#include "plugin/attachment_fixture.hpp"

namespace cnio::test {
namespace {

const Json kAnswer = Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]})");

// The hook's grandparent is the plugin.
constexpr char kKill[] = "kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)";

/// At which point an ADD was killed, and what was done to the link since.
struct Death {
  const char* name;
  const char* hook;  // of the IPAM plugin; empty: it was not killed, but nobody has learned its result
  const char* since;
};
void PrintTo(const Death& death, std::ostream* out) { *out << death.name; }

class KilledAdd : public AttachmentTest, public ::testing::WithParamInterface<Death> {
 protected:
  KilledAdd() {
    config_["ipMasq"] = true;
    config_["macspoofchk"] = true;
    const std::string hook = GetParam().hook;
    fake_.script("ADD", {{.out = kAnswer.dump(), .hook = hook}, {.out = kAnswer.dump()}});
    Command command = with_fake(fake_, "ADD", config_, pod());
    if (hook.empty()) command.stdout_path = "/run/test/lost";
    write_file("/run/test/lost", "");
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.signal, hook.empty() ? 0 : SIGKILL) << describe(outcome);
    EXPECT_EQ(records(), 1U);
    EXPECT_EQ(host_ends().size(), 1U);
    Command since{.argv = {"sh", "-ec", GetParam().since}};
    since.env["L"] = host_ends().at(0);
    EXPECT_EQ(run(since).exit_code, 0);
  }
  Outcome call(const std::string& verb, const Attachment& attachment) const {
    return run(with_fake(fake_, verb, config_, attachment));
  }
  static void expect_nothing() {
    EXPECT_TRUE(host_ends().empty());
    EXPECT_TRUE(link_names(pod().netns).empty());
    EXPECT_TRUE(nft_objects_with("10.1.0.2").empty());
    EXPECT_TRUE(nft_objects_with("macspoofchk").empty());
    EXPECT_EQ(records(), 0U);
  }

  FakeIpam fake_;
  Json config_ = fake_config();
};

const std::string kKilledWithAPair = std::string(kPairStands) + " && " + kKill;
INSTANTIATE_TEST_SUITE_P(When, KilledAdd,
                         ::testing::Values(Death{"Recorded", kKilledWithAPair.c_str(), "ip link del $L"},
                                           Death{"Made", kKilledWithAPair.c_str(), "ip link set $L alias ''"},
                                           Death{"Marked", kKilledWithAPair.c_str(), ""},
                                           Death{"MarkedAndItsMacChanged", kKilledWithAPair.c_str(),
                                                 "ip link set $L address 02:00:00:00:00:66"},
                                           Death{"MarkedAndTakenOut", kKilledWithAPair.c_str(),
                                                 "ip link set $L nomaster"},
                                           Death{"MadeAndItsBridgeDeleted", kKilledWithAPair.c_str(),
                                                 "ip link set $L alias ''; ip link del br0"},
                                           Death{"Complete", "", ""}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(KilledAdd, DelRemovesAll) {
  FAULT("B5 killed ADD");
  EXPECT_TRUE(succeeded_silently(call("DEL", pod())));
  expect_nothing();
  EXPECT_EQ(fake_.commands(), (std::vector<std::string>{"ADD", "DEL"}));
}

TEST_P(KilledAdd, DelWithoutASandboxRemovesAll) {
  FAULT("B5 killed ADD");
  EXPECT_TRUE(succeeded_silently(call("DEL", nowhere(pod()))));
  expect_nothing();
}

TEST_P(KilledAdd, DelOfARenamedNetworkRemovesAll) {
  FAULT("B6 killed ADD");
  config_["name"] = "newnet";
  EXPECT_TRUE(succeeded_silently(call("DEL", nowhere(pod()))));
  expect_nothing();
}

TEST_P(KilledAdd, GcRemovesAll) {
  FAULT("B5 killed ADD");
  config_ = with_valid_attachments(config_, {});
  EXPECT_TRUE(succeeded_silently(call("GC", {"", "", "", ""})));
  expect_nothing();
  EXPECT_EQ(fake_.commands(), (std::vector<std::string>{"ADD", "GC"}));
}

TEST_P(KilledAdd, AnotherAddSaysWhatToDoOrWorks) {
  FAULT("B5 killed ADD");
  const bool there = !link_names(pod().netns).empty();
  const Outcome again = call("ADD", pod());
  if (there) {
    EXPECT_TRUE(failed(again, code::kInTheWay, {"eth0", "DEL"}));
    EXPECT_TRUE(succeeded_silently(call("DEL", pod())));
    expect_nothing();
    EXPECT_TRUE(succeeded(call("ADD", pod())));
  } else {
    EXPECT_TRUE(succeeded(again));
  }
  EXPECT_EQ(host_ends().size(), 1U);
  EXPECT_TRUE(succeeded_silently(call("DEL", pod())));
  expect_nothing();
}

TEST_P(KilledAdd, AnAddInANewNamespaceReplacesIt) {
  FAULT("B5 killed ADD");
  const Attachment next = {"c1", add_netns("next"), "eth0", ""};
  EXPECT_TRUE(succeeded(call("ADD", next)));
  EXPECT_EQ(host_ends().size(), 1U);
  EXPECT_TRUE(link_names(pod().netns).empty());
  EXPECT_EQ(link_names(next.netns), std::vector<std::string>{"eth0"});
  EXPECT_TRUE(succeeded_silently(call("DEL", next)));
  expect_nothing();
}

// ---- an IPAM plugin refuses

/// With our record, or without it, as after an update.
class RefusedAdd : public AttachmentTest, public ::testing::WithParamInterface<bool> {
 protected:
  static Attachment again() { return {"c1", add_netns("next"), "eth0", ""}; }
  void maybe_lose_records() const {
    if (!GetParam()) lose_records();
  }
  Command by_reference_ipam(const std::string& verb, const Attachment& attachment) const {
    Command command = plugin_command({"bridge", verb, attachment, config_.dump()});
    command.env["CNI_PATH"] = reference_dir();
    return command;
  }
  const Json config_ = bridge_config({"10.1.0.0/24"}, "1.0.0");
};
INSTANTIATE_TEST_SUITE_P(Recorded, RefusedAdd, ::testing::Bool());

TEST_P(RefusedAdd, TheReferencesHostLocalKeepsTheAddressOfWhoLives) {
  FAULT("B7 living pod's address");
  ASSERT_TRUE(succeeded(run(by_reference_ipam("ADD", pod()))));
  ASSERT_TRUE(store_holds("10.1.0.2"));
  maybe_lose_records();
  const Attachment next = again();
  const Outcome refused = run(by_reference_ipam("ADD", next));
  EXPECT_EQ(refused.exit_code, 1) << describe(refused);
  EXPECT_NE(refused.out.find("duplicate"), std::string::npos) << describe(refused);
  EXPECT_TRUE(store_holds("10.1.0.2"));
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(link_names(next.netns).empty());
  EXPECT_EQ(host_ends().size(), 1U);
  EXPECT_TRUE(succeeded_silently(run(by_reference_ipam("DEL", pod()))));
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_TRUE(host_ends().empty());
  EXPECT_EQ(records(), 0U);
}

TEST_P(RefusedAdd, AnyOtherRefusalIsNoReasonToRelease) {
  FAULT("B7 living pod's address");
  FakeIpam fake;
  fake.script("ADD", {{.out = kAnswer.dump()},
                      {.out = R"({"cniVersion": "1.1.0", "code": 5, "msg": "it has one"})", .exit_code = 1}});
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod()))));
  maybe_lose_records();
  const Attachment next = again();
  EXPECT_TRUE(failed(run(with_fake(fake, "ADD", fake_config(), next)), code::kIo, {"it has one"}));
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "ADD"}));
  EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{"eth0"});
}

// host-local works while the bridge is made.
TEST_P(RefusedAdd, NeitherIsARefusalOfAnAddThatCouldMakeNothing) {
  FAULT("B7 living pod's address");
  ASSERT_TRUE(succeeded(run(by_reference_ipam("ADD", pod()))));
  must_run({"ip", "link", "del", "br0"});
  maybe_lose_records();
  Json config = config_;
  config["vlan"] = 100;  // which not every kernel has
  Command command = by_reference_ipam("ADD", again());
  command.stdin_text = config.dump();
  EXPECT_EQ(run(command).exit_code, 1);
  EXPECT_TRUE(store_holds("10.1.0.2"));
  EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{"eth0"});
}

TEST_P(RefusedAdd, ALivingOneWhoseLinkWasRenamedKeepsItsAddress) {
  FAULT("B7 living pod's address");
  FakeIpam fake;
  fake.script("ADD", {{.out = kAnswer.dump()},
                      {.out = R"({"cniVersion": "1.1.0", "code": 5, "msg": "it has one"})", .exit_code = 1}});
  const Outcome added = run(with_fake(fake, "ADD", fake_config(), pod()));
  ASSERT_TRUE(succeeded(added));
  rename_link(host_end(Json::parse(added.out)), "uplink7");
  maybe_lose_records();
  EXPECT_TRUE(failed(run(with_fake(fake, "ADD", fake_config(), again())), code::kIo));
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "ADD"}));
  EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{"eth0"});
}

class NewAttachment : public AttachmentTest {};

TEST_F(NewAttachment, ThatIsRefusedIsReleased) {
  FAULT("B7 failed ADD");
  FakeIpam fake;
  fake.fail("ADD", {{"code", 5}, {"msg", "no luck"}});
  EXPECT_TRUE(failed(run(with_fake(fake, "ADD", fake_config(), pod())), code::kIo, {"no luck"}));
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "DEL"}));
  EXPECT_EQ(records(), 0U);
}

// Other containers, interfaces and networks of the same names do not make it one that lives.
TEST_F(NewAttachment, ThatIsRefusedIsReleasedWhateverElseLives) {
  FAULT("B7 failed ADD");
  FakeIpam fake;
  fake.script("ADD", {{.out = kAnswer.dump()},
                      {.out = R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.3/24"}]})"},
                      {.out = R"({"cniVersion": "1.1.0", "code": 5, "msg": "no luck"})", .exit_code = 1}});
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod("c1", "eth1")))));
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod("c2")))));
  EXPECT_TRUE(failed(run(with_fake(fake, "ADD", fake_config(), pod())), code::kIo));
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "ADD", "ADD", "DEL"}));
}

TEST_F(NewAttachment, WhoseEarlierLifeIsOverIsReleased) {
  FAULT("B7 failed ADD");
  FakeIpam fake;
  fake.script("ADD", {{.out = kAnswer.dump()},
                      {.out = R"({"cniVersion": "1.1.0", "code": 5, "msg": "no luck"})", .exit_code = 1},
                      {.out = kAnswer.dump()}});
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod()))));
  delete_netns("c1");
  ASSERT_TRUE(happens([] { return host_ends().empty(); }));
  EXPECT_TRUE(failed(run(with_fake(fake, "ADD", fake_config(), pod())), code::kIo));
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "ADD", "DEL"}));
  EXPECT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod()))));
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", fake_config(), pod()))));
  EXPECT_EQ(records(), 0U);
}

// ---- starting again without a DEL between

TEST_F(NewAttachment, OfALayerTwoNetworkStartsAgainWithoutEnd) {
  FAULT("B5 record that grows");
  Json config = layer2_config();
  config["padding"] = std::string(4'000, 'x');
  for (int life = 0; life < 30; ++life) {
    must_add(config, pod());
    delete_netns("c1");
    ASSERT_TRUE(happens([] { return host_ends().empty(); }));
  }
  must_add(config, pod());
  const std::string record = std::filesystem::directory_iterator(kRecords)->path();
  EXPECT_LT(std::filesystem::file_size(record), 100'000U);
  must_del(config, pod());
  EXPECT_EQ(records(), 0U);
}

TEST_F(NewAttachment, AHundredRefusedRestartsDoNotFillTheRecord) {
  FAULT("B5 record that grows");
  FakeIpam fake;
  Json config = fake_config();
  config["padding"] = std::string(12'000, 'x');
  fake.script("ADD", {{.out = kAnswer.dump()},
                      {.out = R"({"cniVersion": "1.1.0", "code": 5, "msg": "it has one"})", .exit_code = 1}});
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", config, pod()))));
  const Attachment next = {"c1", add_netns("next"), "eth0", ""};
  for (int turn = 0; turn < 100; ++turn)
    ASSERT_TRUE(failed(run(with_fake(fake, "ADD", config, next)), code::kIo)) << turn;
  const std::string record = std::filesystem::directory_iterator(kRecords)->path();
  EXPECT_LT(std::filesystem::file_size(record), 200'000U);
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", config, pod()))));
  EXPECT_TRUE(host_ends().empty());
  EXPECT_EQ(records(), 0U);
}

}  // namespace
}  // namespace cnio::test
