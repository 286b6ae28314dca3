// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// How bridge calls its IPAM plugin, and what it makes of each kind of answer.
#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

const char* const kAnswer = R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]})";

class Delegation : public BridgeTest {
 protected:
  Outcome call(const std::string& verb, const Json& config = fake_config()) {
    return run(with_fake(fake_, verb, config, pod()));
  }

  FakeIpam fake_;
};

TEST_F(Delegation, PassesStdinAndEnvironmentUnchanged) {
  PARITY("T88");
  fake_.answer("ADD", Json::parse(kAnswer));
  Json config = fake_config();
  const std::string text = "  " + config.dump(3) + "\n\n";
  for (const char* verb : {"ADD", "DEL"}) {
    Command command = with_fake(fake_, verb, config, pod());
    command.stdin_text = text;
    command.env["CNI_ARGS"] = "IgnoreUnknown=1;K8S_POD_NAME=x";
    command.env["SOMETHING_ELSE"] = "a=b c\nd";
    ASSERT_TRUE(succeeded(run(command)));
    const FakeCall call = fake_.calls().back();
    EXPECT_EQ(call.stdin_bytes, text);
    EXPECT_EQ(call.env, command.env) << "the verb is the same, so is all else";
  }
}

// It would do so without end: also by the name of its file, where that is another.
TEST_F(Delegation, NoPluginCallsItself) {
  const Attachment who = pod();
  for (const char* plugin : {"bridge", "ptp"}) {
    const std::string folder = std::string("/run/test/renamed-") + plugin;
    std::filesystem::create_directories(folder);
    const Json plain = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", plugin}, {"ipam", {{"type", plugin}}}};
    Json renamed = plain;
    renamed["ipam"]["type"] = "other";
    std::filesystem::copy_file(plugin_dir() + "/" + plugin, folder + "/other");
    for (const Json& config : {plain, renamed}) {
      const Snapshot before = Snapshot::of_host();
      const auto call = [&](const std::string& verb, const Json& about) {
        Command command = plugin_command({plugin, verb, who, about.dump()});
        command.env["CNI_PATH"] = folder + ":" + plugin_dir();
        return run(command);
      };
      for (const char* verb : {"ADD", "STATUS"}) {
        EXPECT_TRUE(failed(call(verb, config), code::kConfig, {"ipam.type", "itself"})) << plugin << " " << verb;
      }
      EXPECT_NE(call("GC", with_valid_attachments(config, {})).exit_code, 0);
      EXPECT_EQ(call("DEL", config).exit_code, 0) << "nothing was made";
      EXPECT_TRUE(same(before, Snapshot::of_host()));
    }
  }
}

TEST_F(Delegation, EveryVerbReachesIpam) {
  PARITY("T88 T62 T63");
  fake_.answer("ADD", Json::parse(kAnswer));
  const Outcome added = call("ADD");
  ASSERT_TRUE(succeeded(added));
  EXPECT_TRUE(succeeded_silently(call("CHECK", with_prev_result(fake_config(), Json::parse(added.out)))));
  EXPECT_TRUE(succeeded_silently(call("STATUS")));
  EXPECT_TRUE(succeeded_silently(call("GC", with_valid_attachments(fake_config(), {{"c1", "eth0"}}))));
  EXPECT_TRUE(succeeded_silently(call("DEL")));
  EXPECT_EQ(fake_.commands(), (std::vector<std::string>{"ADD", "CHECK", "STATUS", "GC", "DEL"}));
}

TEST_F(Delegation, RunsInTheHostsNamespace) {
  PARITY("T88");
  fake_.answer("ADD", Json::parse(kAnswer));
  ASSERT_TRUE(succeeded(call("ADD")));
  EXPECT_EQ(fake_.calls().at(0).netns, std::filesystem::read_symlink("/proc/self/ns/net").string());
}

TEST_F(Delegation, RollbackCallsDelete) {
  PARITY("T88 T64");
  fake_.answer("ADD", Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}],
                                      "routes": [{"dst": "10.9.0.0/16", "gw": "10.200.0.1"}]})"));
  EXPECT_TRUE(failed(call("ADD"), code::kKernel, {"10.9.0.0/16"}));
  EXPECT_EQ(fake_.commands(), (std::vector<std::string>{"ADD", "DEL"}));
  EXPECT_EQ(fake_.calls()[0].stdin_bytes, fake_.calls()[1].stdin_bytes);
}

TEST_F(Delegation, FailedAddIsFollowedByDelete) {
  PARITY("T88");
  fake_.fail("ADD", {{"cniVersion", "1.1.0"}, {"code", 102}, {"msg", "none left"}});
  EXPECT_TRUE(failed(call("ADD"), 102, {"fake-ipam", "none left"}));
  EXPECT_EQ(fake_.commands(), (std::vector<std::string>{"ADD", "DEL"})) << "CNI 1.1.0, section 4";
}

TEST_F(Delegation, ErrorsComeBackWhole) {
  PARITY("T88 T62");
  const Json error = {{"cniVersion", "1.1.0"}, {"code", 1234}, {"msg", "no luck"}, {"details", "look there"}};
  for (const char* verb : {"ADD", "DEL", "STATUS"}) {
    fake_.fail(verb, error);
    EXPECT_TRUE(failed(call(verb), 1234, {"no luck", "look there", "fake-ipam"})) << verb;
  }
  fake_.fail("GC", error);
  EXPECT_TRUE(failed(call("GC", with_valid_attachments(fake_config(), {})), 1234, {"no luck"}));
}

TEST_F(Delegation, StatusOfIpamIsOurs) {
  PARITY("T62");
  fake_.fail("STATUS", {{"code", code::kUnavailable}, {"msg", "not ready"}});
  EXPECT_TRUE(failed(call("STATUS"), code::kUnavailable, {"not ready"}));
  EXPECT_TRUE(succeeded_silently(status(layer2_config())));
}

/// An answer to ADD that is of no use.
struct Useless {
  std::string name;
  FakeAnswer answer;
  std::vector<std::string> words;
};

void PrintTo(const Useless& useless, std::ostream* out) { *out << useless.name; }

class UselessAnswer : public Delegation, public ::testing::WithParamInterface<Useless> {};

INSTANTIATE_TEST_SUITE_P(
    Table, UselessAnswer,
    ::testing::Values(
        Useless{"Nothing", {}, {"nothing"}}, Useless{"Blank", {.out = " \n"}, {}},
        Useless{"Garbage", {.out = "what?"}, {"what?"}}, Useless{"List", {.out = "[]"}, {}},
        Useless{"Text", {.out = "\"ok\""}, {}}, Useless{"TwoObjects", {.out = "{}{}"}, {}},
        Useless{"HalfAnObject", {.out = R"({"cniVersion": "1.1.0", "ips": [)"}, {}},
        Useless{"NoAddress", {.out = R"({"cniVersion": "1.1.0"})"}, {"address"}},
        Useless{"EmptyObject", {.out = "{}"}, {"address"}}, Useless{"Null", {.out = "null"}, {}},
        Useless{
            "UnknownVersion", {.out = R"({"cniVersion": "9.0.0", "ips": [{"address": "10.1.0.2/24"}]})"}, {"9.0.0"}},
        Useless{"BadAddress", {.out = R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0/24"}]})"}, {"10.1.0/24"}},
        Useless{"NoPrefix", {.out = R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2"}]})"}, {"10.1.0.2"}},
        Useless{"AddressOfWrongType", {.out = R"({"cniVersion": "1.1.0", "ips": [{"address": 7}]})"}, {"address"}},
        Useless{"NullAddress", {.out = R"({"cniVersion": "1.1.0", "ips": [null]})"}, {"ips"}},
        Useless{"BadGateway", {.out = R"({"ips": [{"address": "10.1.0.2/24", "gateway": "x"}]})"}, {"gateway"}},
        Useless{"BadRoute", {.out = R"({"ips": [{"address": "10.1.0.2/24"}], "routes": [{"dst": "x"}]})"}, {"dst"}},
        Useless{"FailsWithNothing", {.exit_code = 1}, {"1"}},
        Useless{"FailsWithGarbage", {.out = "oops", .exit_code = 1}, {"oops"}},
        Useless{"FailsOnStderrOnly", {.err = "the reason", .exit_code = 2}, {"the reason"}},
        Useless{"FailsWithAList", {.out = "[1]", .exit_code = 1}, {}},
        Useless{"DiesBySignal", {.signal = 9}, {"signal"}},
        Useless{"AnswersAndDies", {.out = kAnswer, .signal = 11}, {"signal"}},
        Useless{"EndlessOutput", {.out = "0123456789abcdef0123456789abcdef", .endless = true}, {}},
        Useless{"EndlessBlanks", {.out = "                                ", .endless = true}, {}},
        Useless{"DeepNesting", {.out = std::string(100000, '[')}, {}}),
    [](const auto& test) { return test.param.name; });

TEST_P(UselessAnswer, IsAClearErrorAndLeavesNothing) {
  PARITY("T88 T64");
  fake_.script("ADD", {GetParam().answer});
  const Snapshot before = Snapshot::of_host();
  const Snapshot sandbox = Snapshot::of(pod().netns);
  std::vector<std::string> words = GetParam().words;
  words.push_back("fake-ipam");
  const Outcome outcome = call("ADD");
  EXPECT_TRUE(failed(outcome, code::kIpam, words));
  EXPECT_LT(outcome.out.size(), 16384U) << "an answer is quoted, not repeated";
  EXPECT_TRUE(same(before, Snapshot::of_host().without_device("br0")));
  EXPECT_TRUE(same(sandbox, Snapshot::of(pod().netns)));
}

TEST_F(Delegation, OutputOfOtherVerbsIsIgnored) {
  PARITY("T88");
  fake_.script("DEL", {{.out = "some words"}});
  fake_.script("STATUS", {{.out = "{}"}});
  EXPECT_TRUE(succeeded_silently(call("DEL")));
  EXPECT_TRUE(succeeded_silently(call("STATUS")));
}

TEST_F(Delegation, ErrorOnDeleteWithoutObjectIsReported) {
  PARITY("T88");
  fake_.script("DEL", {{.err = "broken", .exit_code = 1}});
  EXPECT_TRUE(failed(call("DEL"), code::kIpam, {"broken"}));
}

class PluginType : public Delegation, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(Table, PluginType,
                         ::testing::Values("../bin/fake-ipam", "/bin/true", "a/b", "..", ".", "bin/../fake-ipam"),
                         [](const auto& test) { return "t" + identifier(test.param); });

TEST_P(PluginType, IsANameAndNothingElse) {
  PARITY("T88");
  Json config = layer2_config();
  config["ipam"]["type"] = GetParam();
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(call("ADD", config), code::kConfig, {"ipam.type", GetParam()}));
  EXPECT_TRUE(failed(call("STATUS", config), code::kConfig, {"ipam.type"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(fake_.calls().empty());
}

TEST_F(Delegation, MissingPluginIsFoundOutBeforeAnyChange) {
  PARITY("T88");
  Json config = layer2_config();
  config["ipam"]["type"] = "no-such-ipam";
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(call("ADD", config), code::kIpam, {"no-such-ipam", plugin_dir()}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(Delegation, FilesThatAreNoProgramsAreSkipped) {
  PARITY("T88 D33");
  fake_.answer("ADD", Json::parse(kAnswer));
  write_file(make_folder("early") + "/fake-ipam", "not a program");
  std::filesystem::create_directories(make_folder("folder") + "/fake-ipam");
  Command command = with_fake(fake_, "ADD", fake_config(), pod());
  command.env["CNI_PATH"] = "/nowhere::/run/test/folder:/run/test/early:" + fake_.path();
  EXPECT_TRUE(succeeded(run(command)));
  command = with_fake(fake_, "ADD", fake_config(), pod("c2"));
  command.env["CNI_PATH"] = "/run/test/folder:/run/test/early";
  EXPECT_TRUE(failed(run(command), code::kIpam, {"/run/test/early/fake-ipam is not executable"}));
}

TEST_F(Delegation, RelativePathEntriesWork) {
  PARITY("T88");
  fake_.answer("ADD", Json::parse(kAnswer));
  Command command = with_fake(fake_, "ADD", fake_config(), pod());
  command.cwd = fake_.path() + "/..";
  command.env["CNI_PATH"] = "bin";
  EXPECT_TRUE(succeeded(run(command)));
}

TEST_F(Delegation, ArgumentsOfTheOtherPluginAreNoError) {
  PARITY("D32");
  Attachment attachment = pod();
  attachment.args = "MAC=02:00:00:00:00:09;IP=10.1.0.77";
  const Json result = must_add(bridge_config(), attachment);
  EXPECT_EQ(result.at("ips")[0].at("address"), "10.1.0.77/24");
  EXPECT_EQ(result.at("interfaces")[2].at("mac"), "02:00:00:00:00:09");
  EXPECT_TRUE(succeeded_silently(del(bridge_config(), attachment)));
}

}  // namespace
}  // namespace cnio::test
