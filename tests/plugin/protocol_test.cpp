// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What every plugin owes a runtime before its own work begins: environment, standard streams, versions, errors.
#include "plugin/flannel_fixture.hpp"
#include "support/host.hpp"
#include "support/plugin.hpp"
#include "support/snapshot.hpp"

namespace cnio::test {
namespace {

const std::string kSupported = "0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0";

class EachPlugin : public HostTest, public ::testing::WithParamInterface<std::string> {
 protected:
  EachPlugin() : pod_(add_netns("pod")) {}

  Call call(const std::string& command) const {
    return {GetParam(), command, {"c1", pod_, "eth0", ""}, minimal_config(GetParam()).dump()};
  }
  Command command(const std::string& verb) const { return plugin_command(call(verb)); }
  Outcome run_with(const std::string& verb, const std::string& variable, const std::string& value) const {
    Command changed = command(verb);
    changed.env[variable] = value;
    return run(changed);
  }
  Outcome run_config(const std::string& verb, const std::string& config) const {
    Command changed = command(verb);
    changed.stdin_text = config;
    return run(changed);
  }

  std::string pod_;
};

INSTANTIATE_TEST_SUITE_P(All, EachPlugin, ::testing::ValuesIn(all_plugins()),
                         [](const auto& test) { return identifier(test.param); });

::testing::AssertionResult in_order(const std::string& text, const std::vector<std::string>& words) {
  std::size_t position = 0;
  for (const std::string& word : words) {
    position = text.find(word, position);
    if (position == std::string::npos) return ::testing::AssertionFailure() << word << " is not in its place: " << text;
  }
  return ::testing::AssertionSuccess();
}

TEST_P(EachPlugin, WithoutCommandTellsNameAndVersionsOnStderr) {
  PARITY("T08 T-M01");
  Command bare = command("");
  bare.argv.push_back("whatever");
  bare.stdin_text = "garbage";
  const Outcome outcome = run(bare);
  EXPECT_TRUE(succeeded_silently(outcome));
  EXPECT_TRUE(outcome.err.starts_with("CNI " + GetParam() + " plugin v1.")) << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with("\nCNI protocol versions supported: " + kSupported + "\n")) << outcome.err;
}

TEST_P(EachPlugin, HelpShowsACallByHandAndTheKeysOnStdout) {
  for (const char* option : {"--help", "-h"}) {
    Command help = command("");
    help.argv.push_back(option);
    const Outcome outcome = run(help);
    EXPECT_TRUE(succeeded(outcome));
    EXPECT_EQ(outcome.err, "");
    for (const char* word : {"CNI_COMMAND=", "CNI_CONTAINERID=", "CNI_IFNAME=", "CNI_PATH=", "Keys of every plugin:",
                             "\n  cniVersion: ", "\n  ipam.type: "}) {
      EXPECT_NE(outcome.out.find(word), std::string::npos) << word << " is missing in: " << outcome.out;
    }
  }
}

TEST_P(EachPlugin, VersionOnRequestGoesToStdout) {
  Command version = command("");
  version.argv.push_back("--version");
  const Outcome outcome = run(version);
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_EQ(outcome.out, run(command("")).err);
  EXPECT_EQ(outcome.err, "");
}

TEST_P(EachPlugin, HelpDoesNotHideARealCall) {
  Command help = command("VERSION");
  help.argv.push_back("--help");
  EXPECT_TRUE(Json::parse(run(help).out).contains("supportedVersions"));
}

TEST_P(EachPlugin, VersionNeedsNothingButTheCommand) {
  PARITY("T09 T-M01");
  Command version;
  version.argv = {plugin_dir() + "/" + GetParam()};
  version.env["CNI_COMMAND"] = "VERSION";
  version.stdin_text = "garbage";
  const Outcome outcome = run(version);
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_EQ(outcome.out.find('\n'), outcome.out.size() - 1) << outcome.out;
  const Json answer = Json::parse(outcome.out);
  EXPECT_EQ(answer.at("cniVersion"), "1.1.0");
  EXPECT_EQ(answer.at("supportedVersions"), Json(kAllVersions));
}

TEST_P(EachPlugin, WorksUnderAnotherFileName) {
  Command renamed = command("VERSION");
  const std::string link = make_folder("renamed") + "/crio-" + GetParam();
  must_run({"cp", renamed.argv[0], link});
  renamed.argv = {link};
  EXPECT_TRUE(Json::parse(run(renamed).out).contains("supportedVersions"));
}

TEST_P(EachPlugin, NamesAllMissingVariablesInOrder) {
  PARITY("T01");
  Command bare;
  bare.argv = {plugin_dir() + "/" + GetParam()};
  bare.stdin_text = minimal_config(GetParam()).dump();
  for (const char* verb : {"ADD", "CHECK"}) {
    bare.env["CNI_COMMAND"] = verb;
    const Outcome outcome = run(bare);
    EXPECT_TRUE(failed(outcome, code::kEnvironment));
    EXPECT_TRUE(in_order(outcome.out, {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"}));
  }
  bare.env["CNI_COMMAND"] = "DEL";
  EXPECT_TRUE(in_order(run(bare).out, {"CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"}));
  EXPECT_EQ(run(bare).out.find("CNI_NETNS"), std::string::npos);
  for (const char* verb : {"GC", "STATUS"}) {
    bare.env["CNI_COMMAND"] = verb;
    EXPECT_TRUE(failed(run(bare), code::kEnvironment, {"CNI_PATH"}));
    EXPECT_EQ(run(bare).out.find("CNI_CONTAINERID"), std::string::npos);
  }
}

TEST_P(EachPlugin, EmptyVariableCountsAsMissing) {
  PARITY("T01");
  EXPECT_TRUE(failed(run_with("ADD", "CNI_CONTAINERID", ""), code::kEnvironment, {"CNI_CONTAINERID"}));
}

TEST_P(EachPlugin, RefusesBadContainerIds) {
  PARITY("T02");
  for (const std::string id : {"-a", ".a", "_a", "a/b", "a b", "a:b", "../x"}) {
    EXPECT_TRUE(failed(run_with("ADD", "CNI_CONTAINERID", id), code::kEnvironment, {id})) << id;
  }
  for (const std::string id : {"a\n", "\xc3\xa4", "a\xff", "\n"}) {
    EXPECT_TRUE(failed(run_with("DEL", "CNI_CONTAINERID", id), code::kEnvironment)) << id;
  }
}

TEST_P(EachPlugin, AcceptsOddButGoodContainerIds) {
  PARITY("T02");
  for (const std::string& id : {std::string("a-"), std::string("A.b_c-9"), std::string("0"), std::string(300, 'x')}) {
    EXPECT_TRUE(succeeded(run_with("DEL", "CNI_CONTAINERID", id))) << id;
  }
}

TEST_P(EachPlugin, RefusesBadInterfaceNames) {
  PARITY("T03");
  for (const std::string name : {"sixteen-letters-", ".", "..", "a/b", "a:b", "a b", "a\tb",
                                 "a\xc2\xa0"
                                 "b",
                                 "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"}) {
    EXPECT_TRUE(failed(run_with("ADD", "CNI_IFNAME", name), code::kEnvironment)) << name;
  }
  EXPECT_TRUE(succeeded(run_with("DEL", "CNI_IFNAME", "fifteen-letters")));
}

TEST_P(EachPlugin, ReportsABadValueBeforeAMissingOne) {
  PARITY("T04");
  Command changed = command("ADD");
  changed.env["CNI_CONTAINERID"] = "a/b";
  changed.env.erase("CNI_IFNAME");
  EXPECT_TRUE(failed(run(changed), code::kEnvironment, {"a/b"}));
  changed = command("ADD");
  changed.env.erase("CNI_CONTAINERID");
  changed.env["CNI_IFNAME"] = "a:b";
  const Outcome outcome = run(changed);
  EXPECT_TRUE(failed(outcome, code::kEnvironment, {"a:b"}));
  EXPECT_EQ(outcome.out.find("CNI_CONTAINERID"), std::string::npos) << outcome.out;
}

TEST_P(EachPlugin, RefusesUnknownCommands) {
  PARITY("T05");
  for (const char* verb : {"add", "FOO", "ADD "}) {
    EXPECT_TRUE(failed(run(command(verb)), code::kEnvironment, {verb}));
    EXPECT_TRUE(failed(run_config(verb, ""), code::kEnvironment, {verb})) << "by hand there is often nothing on stdin";
  }
}

TEST_P(EachPlugin, RefusesUndecodableInput) {
  PARITY("T06");
  for (const std::string text :
       {"", "garbage", "{} text", "{}{}", "\xef\xbb\xbf{}", "[]", "\"text\"", "7", "{\"name\":\"a\""}) {
    EXPECT_TRUE(failed(run_config("ADD", text), code::kDecoding)) << text;
    EXPECT_TRUE(failed(run_config("DEL", text), code::kDecoding)) << text;
  }
}

TEST_P(EachPlugin, RefusesBadNetworkNames) {
  PARITY("T06");
  Json config = minimal_config(GetParam());
  EXPECT_TRUE(failed(run_config("ADD", "null"), code::kConfig, {"name"}));
  for (const char* name : {"a/b", "../a", ".a", "a b", "\xc3\xa4"}) {
    config["name"] = name;
    EXPECT_TRUE(failed(run_config("ADD", config.dump()), code::kConfig, {name}));
  }
  config["name"] = "";
  EXPECT_TRUE(failed(run_config("ADD", config.dump()), code::kConfig, {"name"}));
  config["name"] = 7;
  EXPECT_TRUE(failed(run_config("ADD", config.dump()), code::kDecoding, {"name"}));
  config.erase("name");
  EXPECT_TRUE(failed(run_config("ADD", config.dump()), code::kConfig, {"name"}));
}

TEST_P(EachPlugin, UnreadableInputIsAnInputError) {
  PARITY("T07");
  Command changed = command("ADD");
  changed.stdin_path = "/";
  EXPECT_TRUE(failed(run(changed), code::kIo));
}

TEST_P(EachPlugin, AcceptsKeysInAnotherCaseAndIgnoresUnknownOnes) {
  PARITY("T14");
  Json config = minimal_config(GetParam());
  config.erase("name");
  config["NaMe"] = "other";
  config["somethingNew"] = {{"deep", Json::array({1, 2})}};
  EXPECT_TRUE(succeeded(run_config("DEL", config.dump())));
}

TEST_P(EachPlugin, LastOfTwoEqualKeysWins) {
  PARITY("T14");
  std::string text = minimal_config(GetParam()).dump();
  text.insert(1, "\"name\":\"a/b\",");
  EXPECT_TRUE(succeeded(run_config("DEL", text)));
}

TEST_P(EachPlugin, RefusesItsOwnNamespaceBeforeAnyChange) {
  PARITY("T15 D3");
  const Snapshot before = Snapshot::of_host();
  for (const char* verb : {"ADD", "CHECK"}) {
    EXPECT_TRUE(failed(run_with(verb, "CNI_NETNS", "/proc/self/ns/net"), code::kOwnNamespace)) << verb;
  }
  for (const char* value : {"0", "yes", ""}) {
    Command changed = command("ADD");
    changed.env["CNI_NETNS"] = "/proc/self/ns/net";
    changed.env["CNI_NETNS_OVERRIDE"] = value;
    EXPECT_TRUE(failed(run(changed), code::kOwnNamespace)) << value;
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

// /proc/<pid>/ns/net of a pod that is gone, whose number a process of the host has by now.
TEST_P(EachPlugin, DeleteTreatsItsOwnNamespaceAsAGoneSandbox) {
  FAULT("C10 own namespace");
  must_run({"ip", "link", "add", "eth0", "type", "bridge"});
  const Snapshot before = Snapshot::of_host();
  for (const std::string path : {"/proc/self/ns/net", "/proc/thread-self/ns/net"}) {
    const Outcome outcome = run_with("DEL", "CNI_NETNS", path);
    EXPECT_TRUE(succeeded_silently(outcome));
    EXPECT_NE(outcome.err.find(path), std::string::npos) << outcome.err;
  }
  EXPECT_TRUE(same(before, Snapshot::of_host())) << "lo and eth0 are the host's";
}

TEST_P(EachPlugin, RefusesAWholeList) {
  FAULT("E20 list on stdin");
  Json list = minimal_config(GetParam());
  list["plugins"] = Json::array({minimal_config(GetParam())});
  const Snapshot before = Snapshot::of_host();
  for (const bool typed : {true, false}) {
    if (!typed) list.erase("type");
    const std::string text = with_valid_attachments(list, {}).dump();
    for (const char* verb : {"ADD", "DEL", "CHECK", "STATUS", "GC"}) {
      EXPECT_TRUE(failed(run_config(verb, text), code::kConfig, {"plugins", "this is a list"})) << verb;
    }
    EXPECT_TRUE(succeeded(run_config("VERSION", text)));
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_P(EachPlugin, RefusesNamesOfTheKernelsSettings) {
  FAULT("C10 settings of all interfaces");
  for (const char* name : {"all", "default"}) {
    EXPECT_TRUE(failed(run_with("ADD", "CNI_IFNAME", name), code::kEnvironment, {name, "settings"}));
    EXPECT_TRUE(succeeded_silently(run_with("DEL", "CNI_IFNAME", name)));
  }
}

TEST_P(EachPlugin, OwnNamespaceCanBeAllowed) {
  PARITY("T15");
  write_subnet_env();  // for flannel
  for (const char* value : {"1", "true", "TrUe"}) {
    Command changed = command("ADD");
    changed.env["CNI_NETNS"] = "/proc/self/ns/net";
    changed.env["CNI_NETNS_OVERRIDE"] = value;
    changed.env["CNI_CONTAINERID"] = std::string("c-") + value;
    changed.env["CNI_IFNAME"] = std::string("eth-") + value;
    EXPECT_TRUE(succeeded(run(changed))) << value;
  }
}

TEST_P(EachPlugin, DeleteSucceedsWhenTheSandboxIsGone) {
  PARITY("T16");
  EXPECT_TRUE(succeeded_silently(run_with("DEL", "CNI_NETNS", "/run/netns/gone")));
  Command unset = command("DEL");
  unset.env.erase("CNI_NETNS");
  EXPECT_TRUE(succeeded_silently(run(unset)));
}

TEST_P(EachPlugin, DeleteTreatsAPlainFileAsAGoneSandbox) {
  PARITY("T17 D21");
  write_file("/run/netns/unmounted", "");
  EXPECT_TRUE(succeeded_silently(run_with("DEL", "CNI_NETNS", "/run/netns/unmounted")));
}

TEST_P(EachPlugin, FullOutputIsAFailure) {
  PARITY("D17");
  Command changed = command("ADD");
  changed.stdout_path = "/dev/full";
  const Outcome outcome = run(changed);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err, "");
}

class Sandboxed : public EachPlugin {};
INSTANTIATE_TEST_SUITE_P(All, Sandboxed, ::testing::Values("bridge", "loopback"),
                         [](const auto& test) { return identifier(test.param); });

TEST_P(Sandboxed, AddAndCheckNeedARealNamespace) {
  PARITY("T16");
  write_file("/run/netns/file", "");
  const Snapshot before = Snapshot::of_host();
  for (const char* verb : {"ADD", "CHECK"}) {
    for (const char* path : {"/run/netns/gone", "/run/netns/file", "/run/netns", "/proc/self/status"}) {
      EXPECT_TRUE(failed(run_with(verb, "CNI_NETNS", path), code::kEnvironment, {path})) << verb;
    }
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(HostTest, HostLocalNeverLooksAtTheSandbox) {
  PARITY("T16");
  EXPECT_TRUE(succeeded(add(host_local_config(), {"c1", "/run/netns/gone", "eth0", ""})));
}

class ReadsArguments : public EachPlugin {};
INSTANTIATE_TEST_SUITE_P(All, ReadsArguments, ::testing::Values("bridge", "host-local"),
                         [](const auto& test) { return identifier(test.param); });

TEST_P(ReadsArguments, RefusesUnknownAndBrokenArguments) {
  PARITY("T18 T19");
  for (const char* args : {"FOO=BAR", "FOO", "A=1;", "A=b=c;IgnoreUnknown=1", "IgnoreUnknown=yes",
                           "ignoreunknown=1;A=1", "IgnoreUnknown=1;FOO"}) {
    EXPECT_TRUE(failed(run_with("ADD", "CNI_ARGS", args), code::kEnvironment, {"CNI_ARGS"})) << args;
  }
}

TEST_P(ReadsArguments, IgnoresUnknownArgumentsWhenTold) {
  PARITY("T18");
  for (const char* args : {"IgnoreUnknown=1;FOO=BAR", "FOO=BAR;IgnoreUnknown=1", "FOO=BAR;IgnoreUnknown=TrUe"}) {
    EXPECT_TRUE(succeeded(run_with("ADD", "CNI_ARGS", args))) << args;
    EXPECT_TRUE(succeeded_silently(run_with("DEL", "CNI_ARGS", args))) << args;
  }
}

TEST_F(HostTest, LoopbackIgnoresArguments) {
  PARITY("T18");
  EXPECT_TRUE(succeeded(del(loopback_config(), {"c1", add_netns("pod"), "lo", "FOO=BAR"})));
}

TEST_F(HostTest, TextIsEscapedInResults) {
  PARITY("T13");
  Json config = loopback_config();
  config["prevResult"] = {{"cniVersion", "1.1.0"}, {"interfaces", {{{"name", "a<b&c>"}}}}};
  const Outcome outcome = add(config, {"c1", add_netns("pod"), "lo", ""});
  EXPECT_NE(outcome.out.find("a\\u003cb\\u0026c\\u003e"), std::string::npos) << outcome.out;
}

// The gate: which command runs for which version of the configuration. 0 stands for success.
struct Gate {
  std::string version;  // as JSON; empty: no cniVersion at all
  int add_and_del;
  int check;
  int gc_and_status;
};

void PrintTo(const Gate& gate, std::ostream* out) { *out << "cniVersion " << gate.version; }

class VersionGate : public HostTest, public ::testing::WithParamInterface<Gate> {
 protected:
  Outcome run_verb(const std::string& verb) const {
    Json config = with_valid_attachments(loopback_config(), {});
    config.erase("cniVersion");
    if (!GetParam().version.empty()) config["cniVersion"] = Json::parse(GetParam().version);
    return run(plugin_command({"loopback", verb, {"c1", pod_, "lo", ""}, config.dump()}));
  }
  ::testing::AssertionResult outcome_is(const Outcome& outcome, int code) const {
    return code == 0 ? succeeded(outcome) : failed(outcome, code);
  }

  std::string pod_ = add_netns("pod");
};

INSTANTIATE_TEST_SUITE_P(Table, VersionGate,
                         ::testing::Values(Gate{"", 0, 1, 1}, Gate{R"("")", 0, 1, 1}, Gate{R"("0.1.0")", 0, 1, 1},
                                           Gate{R"("0.2.0")", 0, 1, 1}, Gate{R"("0.3.0")", 0, 1, 1},
                                           Gate{R"("0.3.1")", 0, 1, 1}, Gate{R"("0.4.0")", 0, 0, 1},
                                           Gate{R"("1.0.0")", 0, 0, 1}, Gate{R"("1.1.0")", 0, 0, 0},
                                           Gate{R"("1.2.0")", 1, 1, 1}, Gate{R"("1.1")", 1, 1, 1},
                                           Gate{R"("0.0.0")", 1, 1, 1}, Gate{R"("v1.0.0")", 1, 6, 6},
                                           Gate{R"("1.1.0-rc1")", 1, 6, 6}, Gate{R"("1.1.0.0")", 1, 6, 6},
                                           Gate{"110", 6, 6, 6}, Gate{"true", 6, 6, 6}),
                         [](const auto& test) { return "v" + identifier(test.param.version); });

TEST_P(VersionGate, EveryCommand) {
  PARITY("T10 T11");
  EXPECT_TRUE(outcome_is(run_verb("ADD"), GetParam().add_and_del));
  EXPECT_TRUE(outcome_is(run_verb("CHECK"), GetParam().check));
  EXPECT_TRUE(outcome_is(run_verb("DEL"), GetParam().add_and_del));
  EXPECT_TRUE(outcome_is(run_verb("GC"), GetParam().gc_and_status));
  EXPECT_TRUE(outcome_is(run_verb("STATUS"), GetParam().gc_and_status));
}

TEST_P(VersionGate, ErrorsSayWhichVersionWasAsked) {
  PARITY("T11 T12 D4");
  if (GetParam().add_and_del != code::kVersion) {
    EXPECT_TRUE(outcome_is(run_verb("ADD"), GetParam().add_and_del));
    return;
  }
  const std::string version = Json::parse(GetParam().version).get<std::string>();
  EXPECT_TRUE(failed(run_verb("ADD"), code::kVersion, {version, "0.1.0", "1.1.0"}));
}

TEST_F(HostTest, ErrorsCarryTheVersionOfTheConfiguration) {
  PARITY("T12 D4");
  for (const std::string& version : kAllVersions) {
    Json config = layer2_config(version);
    config["mtu"] = "large";
    const Outcome outcome = add(config, {"c1", add_netns("pod" + identifier(version)), "eth0", ""});
    EXPECT_TRUE(failed(outcome, code::kConfig, {"mtu"}));
    EXPECT_EQ(Json::parse(outcome.out).value("cniVersion", ""), version);
    EXPECT_NE(outcome.out.find("\n    \"code\": 7"), std::string::npos) << "not indented by four: " << outcome.out;
  }
}

}  // namespace
}  // namespace cnio::test
