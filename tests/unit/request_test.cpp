// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/request.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

// A complete environment, with some variables changed; an empty value means unset.
Environment environment(const Variables& changes) {
  Variables all = {{"CNI_COMMAND", "ADD"},
                   {"CNI_CONTAINERID", "c1"},
                   {"CNI_NETNS", "/run/netns/c1"},
                   {"CNI_IFNAME", "eth0"},
                   {"CNI_PATH", "/opt/cni/bin"}};
  for (const auto& [name, value] : changes) all[name] = value;
  std::vector<std::string> entries;
  for (const auto& [name, value] : all) {
    if (!value.empty()) entries.push_back(name + "=" + value);
  }
  return Environment(entries);
}

Result<Request> parsed(const Variables& changes) { return parse_environment(environment(changes)); }

constexpr char kMinimal[] = R"({"cniVersion": "1.1.0", "name": "n", "type": "t"})";

// Environment and stdin, as run_plugin reads them.
Result<Request> call(const std::string& command, const std::string& config, Variables changes = {}) {
  changes["CNI_COMMAND"] = command;
  CNIO_LET(Request request, parsed(changes));
  CNIO_TRY(parse_stdin(request, config));
  return request;
}

// ---- Environment

TEST(Environment, GivesTheFirstValueAndTreatsEmptyAsUnset) {
  const Environment env({"A=1", "AB=2", "A=3", "EMPTY=", "C=x=y", "D"});
  EXPECT_EQ(env.get("A"), "1");
  EXPECT_EQ(env.get("AB"), "2");
  EXPECT_EQ(env.get("EMPTY"), "");
  EXPECT_EQ(env.get("C"), "x=y");
  EXPECT_EQ(env.get("D"), "");
  EXPECT_EQ(env.get("B"), "");
}

TEST(Environment, WithReplacesInPlaceAndDropsDuplicates) {
  const Environment env({"A=1", "CNI_COMMAND=ADD", "B=2", "CNI_COMMAND=CHECK", "CNI_COMMANDX=y"});
  EXPECT_THAT(env.with("CNI_COMMAND", "DEL"), ElementsAre("A=1", "CNI_COMMAND=DEL", "B=2", "CNI_COMMANDX=y"));
  EXPECT_THAT(env.with("NEW", "v").back(), "NEW=v");
  EXPECT_THAT(Environment(std::vector<std::string>{}).with("NEW", ""), ElementsAre("NEW="));
}

TEST(Environment, OfTheProcessHoldsItsVariables) {
  ASSERT_EQ(setenv("CNIO_TEST_VARIABLE", "value", 1), 0);
  EXPECT_EQ(Environment::of_process().get("CNIO_TEST_VARIABLE"), "value");
}

// ---- parse_environment

TEST(ParseEnvironment, TakesEveryVariable) {
  const auto request = parsed({{"CNI_ARGS", "A=1;B=2"}, {"CNI_NETNS_OVERRIDE", "1"}});
  ASSERT_OK(request);
  EXPECT_EQ(request.value().command, Command::kAdd);
  EXPECT_EQ(request.value().attachment, (Attachment{"c1", "eth0"}));
  EXPECT_EQ(request.value().netns_path, "/run/netns/c1");
  EXPECT_EQ(request.value().cni_args, "A=1;B=2");
  EXPECT_EQ(request.value().cni_path, "/opt/cni/bin");
  EXPECT_TRUE(request.value().netns_override);
}

TEST(ParseEnvironment, NamesAllMissingVariablesInOrder) {
  PARITY("T01");
  const auto missing = [](const std::string& command) {
    const auto request = parse_environment(Environment({"CNI_COMMAND=" + command}));
    EXPECT_ERROR(request, Code::kInvalidEnvironment, command);
    return request.ok() ? std::string() : request.error().msg();
  };
  EXPECT_THAT(missing("ADD"), HasSubstr("[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH]"));
  EXPECT_THAT(missing("CHECK"), HasSubstr("[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH]"));
  EXPECT_THAT(missing("DEL"), HasSubstr("[CNI_CONTAINERID,CNI_IFNAME,CNI_PATH]"));
  EXPECT_THAT(missing("GC"), HasSubstr("[CNI_PATH]"));
  EXPECT_THAT(missing("STATUS"), HasSubstr("[CNI_PATH]"));
  EXPECT_OK(parse_environment(Environment({"CNI_COMMAND=VERSION"})));
}

TEST(ParseEnvironment, RequiresNoMoreThanTheCommandNeeds) {
  PARITY("T01");
  EXPECT_OK(parsed({{"CNI_COMMAND", "DEL"}, {"CNI_NETNS", ""}}));
  EXPECT_OK(parsed({{"CNI_COMMAND", "GC"}, {"CNI_CONTAINERID", ""}, {"CNI_IFNAME", ""}, {"CNI_NETNS", ""}}));
  // Not required, so not looked at either.
  const auto status = parsed(
      {{"CNI_COMMAND", "STATUS"}, {"CNI_CONTAINERID", "-bad-"}, {"CNI_IFNAME", "a/b"}, {"CNI_ARGS", "no;pairs"}});
  ASSERT_OK(status);
  EXPECT_EQ(status.value().attachment, Attachment{});
  EXPECT_EQ(status.value().cni_args, "");
}

TEST(ParseEnvironment, ContainerIds) {
  PARITY("T02");
  for (const std::string& id : {std::string("-a"), std::string(".a"), std::string("_a"), std::string("a/b"),
                                std::string("a b"), std::string("a\n"), std::string("ä"), std::string("aä"),
                                std::string("a:b"), std::string("a;b"), std::string("../x")}) {
    const auto request = parsed({{"CNI_CONTAINERID", id}});
    EXPECT_ERROR(request, Code::kInvalidEnvironment, "CNI_CONTAINERID") << id;
    EXPECT_EQ(request.error().details(), "CNI_CONTAINERID=" + id);
  }
  for (const std::string& id : {std::string("a-"), std::string("A.b_c-9"), std::string("0"), std::string(300, 'x')}) {
    EXPECT_OK(parsed({{"CNI_CONTAINERID", id}})) << id;
  }
}

TEST(ParseEnvironment, InterfaceNames) {
  PARITY("T03");
  for (const char* name : {"sixteen-bytes-16", ".", "..", "a/b", "a:b", "a b", "a\tb", "a\nb", "a\vb", "a\fb", "a\rb",
                           "a\xc2\xa0"
                           "b",
                           "a\xe2\x80\x83"
                           "b",
                           "a\xe3\x80\x80", "\xc2\x85", "ääääääää", "eth%d"}) {
    EXPECT_ERROR(parsed({{"CNI_IFNAME", name}}), Code::kInvalidEnvironment, "CNI_IFNAME") << name;
  }
  for (const char* name : {"fifteen-bytes-1", "e", "...", "a.b", "ääääääā", "eth0@x", "-"}) {
    EXPECT_OK(parsed({{"CNI_IFNAME", name}})) << name;
  }
}

TEST(ParseEnvironment, ABadValueIsReportedBeforeMissingOnes) {
  PARITY("T04");
  EXPECT_ERROR(parsed({{"CNI_CONTAINERID", "-"}, {"CNI_IFNAME", ""}}), Code::kInvalidEnvironment, "CNI_CONTAINERID");
  EXPECT_ERROR(parsed({{"CNI_CONTAINERID", ""}, {"CNI_IFNAME", "a/b"}}), Code::kInvalidEnvironment, "CNI_IFNAME");
  EXPECT_ERROR(parsed({{"CNI_CONTAINERID", "-"}, {"CNI_IFNAME", "a/b"}}), Code::kInvalidEnvironment, "CNI_CONTAINERID");
}

TEST(ParseEnvironment, NamesOfTheKernelsSettingsAreNoInterfaces) {
  FAULT("C10 settings of all interfaces");
  for (const char* name : {"all", "default"}) {
    for (const char* command : {"ADD", "CHECK"}) {
      EXPECT_ERROR(parsed({{"CNI_IFNAME", name}, {"CNI_COMMAND", command}}), Code::kInvalidEnvironment, "CNI_IFNAME",
                   name, "settings for all interfaces");
    }
    EXPECT_OK(parsed({{"CNI_IFNAME", name}, {"CNI_COMMAND", "DEL"}})) << "one may be there";
  }
  for (const char* name : {"All", "all0", "defaul", "default1"}) EXPECT_OK(parsed({{"CNI_IFNAME", name}})) << name;
}

TEST(ParseEnvironment, NetnsOverride) {
  PARITY("T15");
  for (const char* yes : {"1", "true", "TrUe", "TRUE"}) {
    EXPECT_TRUE(parsed({{"CNI_NETNS_OVERRIDE", yes}}).value().netns_override) << yes;
  }
  for (const char* no : {"0", "yes", "", "false", "2", " 1"}) {
    EXPECT_FALSE(parsed({{"CNI_NETNS_OVERRIDE", no}}).value().netns_override) << no;
  }
}

TEST(ParseEnvironment, CommandsAreCaseSensitive) {
  PARITY("T05");
  for (const char* command : {"add", "FOO", "ADD ", "VERSIONS"}) {
    EXPECT_EQ(parse_environment(Environment({"CNI_COMMAND=" + std::string(command)})).value().command,
              Command::kUnknown);
  }
  for (const auto& [command, name] : std::map<Command, const char*>{{Command::kAdd, "ADD"},
                                                                    {Command::kDel, "DEL"},
                                                                    {Command::kCheck, "CHECK"},
                                                                    {Command::kGc, "GC"},
                                                                    {Command::kStatus, "STATUS"},
                                                                    {Command::kVersion, "VERSION"}}) {
    EXPECT_EQ(parsed({{"CNI_COMMAND", name}}).value().command, command);
    EXPECT_EQ(to_string(command), name);
  }
}

// ---- parse_stdin

TEST(ParseStdin, KeepsTheBytesAndReadsNameAndVersion) {
  const auto request = call("ADD", kMinimal);
  ASSERT_OK(request);
  EXPECT_EQ(request.value().stdin_data, kMinimal);
  EXPECT_EQ(request.value().network, "n");
  EXPECT_EQ(request.value().version, SpecVersion::k110);
  EXPECT_EQ(request.value().fields().text("type").value(), "t");
}

TEST(CheckCommand, NamesTheUnknownOne) {
  PARITY("T05");
  for (const char* command : {"FOO", "add"}) {
    EXPECT_ERROR(check_command(parsed({{"CNI_COMMAND", command}}).value()), Code::kInvalidEnvironment, "CNI_COMMAND",
                 command);
  }
  EXPECT_OK(check_command(parsed({}).value()));
}

TEST(ParseStdin, AWholeListIsRefusedByEachCommand) {
  FAULT("E20 list on stdin");
  for (const char* members :
       {R"("plugins": [{"type": "t", "bridge": "br0"}])", R"("PLUGINS": [{"type": "x"}, {"type": "y"}])",
        R"("plugins": [])", R"("plugins": {})", R"("plugins": 7)", R"("type": "", "plugins": [{"type": "t"}])",
        R"("type": null, "plugins": [{}])", R"("type": 7, "plugins": [])",
        R"("type": "t", "plugins": [{"type": "x"}, {"Type": "t"}])"}) {
    for (const char* command : {"ADD", "DEL", "CHECK", "GC", "STATUS"}) {
      EXPECT_ERROR(call(command, R"({"cniVersion": "1.1.0", "name": "n", )" + std::string(members) + "}"),
                   Code::kInvalidConfig, "key \"plugins\"", "this is a list; a plugin takes one of its entries")
          << command << members;
    }
  }
}

TEST(ParseStdin, AKeyOfThatNameIsNobodysBusinessInAPluginsOwnConfiguration) {
  for (const char* members :
       {R"("plugins": null)", R"("type": "t", "plugins": [])", R"("type": "t", "plugins": ["t", 7, null, {}])",
        R"("type": "t", "plugins": [{"type": "x"}, {"type": 7}])", R"("type": "t", "plugins": {"type": "t"})"}) {
    EXPECT_OK(call("ADD", R"({"name": "n", )" + std::string(members) + "}")) << members;
  }
}

TEST(ParseStdin, WhatIsNoConfiguration) {
  PARITY("T06");
  for (const char* command : {"ADD", "DEL"}) {
    for (const char* text :
         {"", "garbage", "{\"name\": \"n\"} x", "\xef\xbb\xbf{\"name\": \"n\"}", "[]", "7", "\"n\""}) {
      EXPECT_ERROR(call(command, text), Code::kDecode, "read the configuration from stdin") << text;
    }
    EXPECT_ERROR(call(command, R"({"name": 5})"), Code::kDecode, "name");
    EXPECT_ERROR(call(command, R"({"name": "n", "cniVersion": 110})"), Code::kDecode, "cniVersion");
    for (const char* text : {"null", "{}", R"({"name": ""})", R"({"name": null})"}) {
      const auto request = call(command, text);
      EXPECT_ERROR(request, Code::kInvalidConfig, "\"name\"", "missing") << text;
      EXPECT_EQ(request.error().details(), "");
    }
    const auto bad_name = call(command, R"({"name": "a/b"})");
    EXPECT_ERROR(bad_name, Code::kInvalidConfig, "\"name\"");
    EXPECT_THAT(bad_name.error().details(), HasSubstr("a/b"));
  }
  EXPECT_ERROR(call("ADD", R"({"name": "a\u0000b"})"), Code::kInvalidConfig, "\"name\"");
}

// The version in which an error is answered is known even if the rest of the configuration is bad.
TEST(ParseStdin, RemembersTheVersionForErrors) {
  Request request = parsed({}).value();
  EXPECT_ERROR(parse_stdin(request, R"({"cniVersion": "0.3.1"})"), Code::kInvalidConfig);
  EXPECT_EQ(request.version, SpecVersion::k031);
  EXPECT_ERROR(parse_stdin(request, R"({"cniVersion": "7.0.0", "name": "n"})"), Code::kIncompatibleVersion);
  EXPECT_EQ(request.version, kLatestVersion);
}

struct Gate {
  std::string version;  // the JSON text of cniVersion; empty: absent
  unsigned add;         // code of ADD and DEL, 0 if they run
  unsigned check;
  unsigned gc;  // and STATUS
};

TEST(ParseStdin, VersionGate) {
  PARITY("T10 T11");
  for (const Gate& gate : std::vector<Gate>{{"", 0, 1, 1},
                                            {"null", 0, 1, 1},
                                            {"\"\"", 0, 1, 1},
                                            {"\"0.1.0\"", 0, 1, 1},
                                            {"\"0.2.0\"", 0, 1, 1},
                                            {"\"0.3.0\"", 0, 1, 1},
                                            {"\"0.3.1\"", 0, 1, 1},
                                            {"\"0.4.0\"", 0, 0, 1},
                                            {"\"1.0.0\"", 0, 0, 1},
                                            {"\"1.1.0\"", 0, 0, 0},
                                            {"\"1.2.0\"", 1, 1, 1},
                                            {"\"2.0.0\"", 1, 1, 1},
                                            {"\"1.1\"", 1, 1, 1},
                                            {"\"1\"", 1, 1, 1},
                                            {"\"01.1.0\"", 1, 1, 1},
                                            {"\"0.0.0\"", 1, 1, 1},
                                            {"\"v1.0.0\"", 1, 6, 6},
                                            {"\"1.1.0-rc1\"", 1, 6, 6},
                                            {"\"1.1.0.0\"", 1, 6, 6},
                                            {"\"1..0\"", 1, 6, 6},
                                            {"\"1.1.\"", 1, 6, 6},
                                            {"\"1.1.-1\"", 1, 6, 6},
                                            {"\"1.1.99999999999999999999\"", 1, 6, 6},
                                            {"\" 1.1.0\"", 1, 6, 6},
                                            {"110", 6, 6, 6},
                                            {"[]", 6, 6, 6}}) {
    const std::string config =
        gate.version.empty() ? R"({"name": "n"})" : R"({"name": "n", "cniVersion": )" + gate.version + "}";
    for (const auto& [command, code] : std::map<std::string, unsigned>{
             {"ADD", gate.add}, {"DEL", gate.add}, {"CHECK", gate.check}, {"GC", gate.gc}, {"STATUS", gate.gc}}) {
      const auto request = call(command, config);
      if (code == 0) {
        EXPECT_OK(request) << command << " " << gate.version;
      } else {
        EXPECT_ERROR(request, Code{code}) << command << " " << gate.version;
      }
    }
  }
}

TEST(ParseStdin, VersionErrorsSayWhatIsSupported) {
  PARITY("T11");
  const auto request = call("ADD", R"({"name": "n", "cniVersion": "1.2.0"})");
  ASSERT_FALSE(request.ok());
  EXPECT_THAT(request.error().details(), HasSubstr("\"1.2.0\""));
  EXPECT_THAT(request.error().details(), HasSubstr("0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0"));
  EXPECT_ERROR(call("CHECK", R"({"name": "n", "cniVersion": "0.3.1"})"), Code::kIncompatibleVersion, "CHECK", "0.4.0",
               "0.3.1");
  EXPECT_ERROR(call("GC", R"({"name": "n"})"), Code::kIncompatibleVersion, "GC", "1.1.0", "0.1.0");
}

// ---- the plugin's own namespace

TEST(OwnSandbox, IsRefusedUnlessAllowed) {
  PARITY("T15");
  Request request;
  request.netns_path = "/proc/self/ns/net";
  EXPECT_ERROR(check_not_own_sandbox(request), Code::kOwnSandbox, "/proc/self/ns/net");
  request.netns_path = "/proc/" + std::to_string(getpid()) + "/ns/net";
  EXPECT_ERROR(check_not_own_sandbox(request), Code::kOwnSandbox);
  request.netns_override = true;
  EXPECT_OK(check_not_own_sandbox(request));
}

TEST(OwnSandbox, IsForgottenUnlessAllowed) {
  FAULT("C10 own namespace");
  const std::string own = "/proc/" + std::to_string(getpid()) + "/ns/net";
  Request request;
  request.environment = Environment({"A=1", "CNI_NETNS=" + own, "CNI_NETNS=" + own, "B=2"});
  request.netns_path = own;
  request.netns_override = true;
  EXPECT_EQ(forget_own_sandbox(request), "");
  EXPECT_EQ(request.netns_path, own);
  request.netns_override = false;
  EXPECT_THAT(forget_own_sandbox(request), HasSubstr(own));
  EXPECT_EQ(request.netns_path, "");
  EXPECT_THAT(request.environment.with("X", ""), ElementsAre("A=1", "CNI_NETNS=", "B=2", "X="));
}

TEST(OwnSandbox, WhatCannotBeExaminedPasses) {
  Request request;
  for (const char* path : {"", "/nonexistent/ns", "/proc/self/ns/mnt", "/etc/passwd"}) {
    request.netns_path = path;
    EXPECT_OK(check_not_own_sandbox(request)) << path;
    EXPECT_EQ(forget_own_sandbox(request), "") << path;
    EXPECT_EQ(request.netns_path, path);
  }
}

// ---- CNI_ARGS

TEST(CniArgs, GivesTheKnownKeys) {
  const auto args = parse_cni_args("MAC=0a:00:00:00:00:01;IP=10.1.0.5", {"MAC", "IP"});
  ASSERT_OK(args);
  EXPECT_EQ(args.value(),
            (std::map<std::string, std::string, std::less<>>{{"MAC", "0a:00:00:00:00:01"}, {"IP", "10.1.0.5"}}));
  EXPECT_TRUE(parse_cni_args("", {"MAC"}).value().empty());
  EXPECT_EQ(parse_cni_args("IP=1;IP=2", {"IP"}).value().at("IP"), "2");
}

TEST(CniArgs, EmptyValuesCountAsAbsent) {
  EXPECT_TRUE(parse_cni_args("MAC=", {"MAC"}).value().empty());
  EXPECT_OK(parse_cni_args("IgnoreUnknown=;MAC=", {"MAC"}));
  EXPECT_ERROR(parse_cni_args("IgnoreUnknown=;X=1", {"MAC"}), Code::kInvalidEnvironment);
}

TEST(CniArgs, UnknownKeysNeedIgnoreUnknown) {
  PARITY("T18");
  const auto unknown = parse_cni_args("FOO=BAR;MAC=x;BAZ=1", {"MAC"});
  EXPECT_ERROR(unknown, Code::kInvalidEnvironment, "CNI_ARGS", "unknown keys \"FOO\", \"BAZ\"");
  EXPECT_THAT(unknown.error().details(), HasSubstr("IgnoreUnknown=1"));
  for (const char* text :
       {"FOO=BAR;IgnoreUnknown=1", "IgnoreUnknown=1;FOO=BAR", "IgnoreUnknown=TRUE;FOO=", "IgnoreUnknown=true;FOO=1"}) {
    EXPECT_OK(parse_cni_args(text, {"MAC"})) << text;
  }
  EXPECT_ERROR(parse_cni_args("FOO=BAR;IgnoreUnknown=0", {"MAC"}), Code::kInvalidEnvironment);
  EXPECT_ERROR(parse_cni_args("FOO=BAR;IgnoreUnknown=1;IgnoreUnknown=false", {"MAC"}), Code::kInvalidEnvironment);
}

TEST(CniArgs, KeysOfOtherPluginsOfTheSuiteAreNeverUnknown) {
  PARITY("T18");
  const auto args = parse_cni_args("IP=10.1.0.5;MAC=x", {"MAC"}, {"IP"});
  ASSERT_OK(args);
  EXPECT_EQ(args.value().count("IP"), 0U);
  EXPECT_ERROR(parse_cni_args("IP=1;OTHER=2", {"MAC"}, {"IP"}), Code::kInvalidEnvironment, "\"OTHER\"");
}

TEST(CniArgs, WhatKubernetesPassesIsNeverUnknown) {
  PARITY("T18");
  const std::string pod = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=0123;K8S_POD_UID=3b2c";
  for (const std::string& text : {pod, "IgnoreUnknown=1;" + pod, pod + ";IgnoreUnknown=0", pod + ";IP=10.1.0.5"}) {
    EXPECT_OK(parse_cni_args(text, {"IP"})) << text;
  }
  EXPECT_EQ(parse_cni_args(pod + ";IP=10.1.0.5", {"IP"}).value().size(), 1U) << "ignored, not returned";
  EXPECT_ERROR(parse_cni_args(pod + ";FOO=1", {"IP"}), Code::kInvalidEnvironment, "unknown keys \"FOO\"");
  EXPECT_ERROR(parse_cni_args("k8s_pod_name=web", {"IP"}), Code::kInvalidEnvironment, "k8s_pod_name");
  EXPECT_ERROR(parse_cni_args(pod + ";K8S_POD_NAME", {"IP"}), Code::kInvalidEnvironment, "KEY=VALUE");
}

TEST(CniArgs, BrokenPairsFailInAnyCase) {
  PARITY("T19");
  for (const char* text : {"FOO", "A=1;", ";A=1", "A=1;;B=2", "A=b=c", "=", "=x", "CommonArgs=1", "IgnoreUnknown=yes",
                           "ignoreunknown=1;A=1", "IgnoreUnknown", " IgnoreUnknown=1", "mac=x"}) {
    EXPECT_ERROR(parse_cni_args(text, {"MAC"}), Code::kInvalidEnvironment, "CNI_ARGS") << text;
  }
  for (const char* text : {"IgnoreUnknown=1;FOO", "IgnoreUnknown=1;", "IgnoreUnknown=1;A=b=c",
                           "IgnoreUnknown=1;CommonArgs=1", "IgnoreUnknown=1;IgnoreUnknown=yes"}) {
    EXPECT_ERROR(parse_cni_args(text, {"MAC"}), Code::kInvalidEnvironment, "CNI_ARGS") << text;
  }
}

// ---- GC

class ValidAttachments : public ::testing::Test {
 protected:
  static Result<std::vector<Attachment>> of(const std::string& members) {
    const Json config = parse_json("{" + members + "}").value();
    return parse_valid_attachments(Fields(config));
  }
};

TEST_F(ValidAttachments, AreRead) {
  const auto list = of(R"("cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"},
                                                        {"containerID": "b", "ifname": "eth1", "x": 1}])");
  ASSERT_OK(list);
  EXPECT_THAT(list.value(), ElementsAre(Attachment{"a", "eth0"}, Attachment{"b", "eth1"}));
}

TEST_F(ValidAttachments, AnEmptyListMeansThatNoneIsValid) {
  const auto list = of(R"("cni.dev/valid-attachments": [])");
  ASSERT_OK(list);
  EXPECT_TRUE(list.value().empty());
}

// Otherwise a runtime that forgets the list would lose every attachment of the network.
TEST_F(ValidAttachments, AMissingListIsAnError) {
  EXPECT_ERROR(of(""), Code::kInvalidConfig, "cni.dev/valid-attachments", "missing");
  EXPECT_ERROR(of(R"("cni.dev/valid-attachments": null)"), Code::kInvalidConfig, "missing");
}

TEST_F(ValidAttachments, EntriesMustBeWhole) {
  for (const char* entry : {"{}", R"({"containerID": "a"})", R"({"ifname": "eth0"})", "null", "\"a\"",
                            R"({"containerID": 5, "ifname": "eth0"})", R"({"containerID": "", "ifname": "eth0"})"}) {
    EXPECT_ERROR(
        of(R"("cni.dev/valid-attachments": [{"containerID": "a", "ifname": "e"}, )" + std::string(entry) + "]"),
        Code::kInvalidConfig, "cni.dev/valid-attachments[1]")
        << entry;
  }
  EXPECT_ERROR(of(R"("cni.dev/valid-attachments": {})"), Code::kInvalidConfig, "must be a list");
}

}  // namespace
}  // namespace cnio::protocol
