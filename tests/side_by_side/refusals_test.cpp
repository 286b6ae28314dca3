// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What neither accepts. Codes of the specification are the same; where the reference answers 999 ours says more (one
// rule for all, in same_work()).
#include "plugin/configs.hpp"
#include "support/side_by_side.hpp"

namespace cnio::test {
namespace {

using Refusals = SideBySide;
TEST_P(Refusals, AreTheSame) { play_both(); }

const Difference kLeftBehind{"^reference: (host (br0|.*/br0/)|.*eth0)",
                             "nothing is made before all is known to be valid"};
const Difference kStatus{"^(reference: (outcome succeeded|stdout)|ours: outcome refused)", "D2: STATUS looks",
                         "!STATUS"};

Json config() { return layer2_config(); }

/// The same text on stdin for every verb.
std::vector<Step> stdin_is(const char* text) {
  return {{"!ADD", text}, {"!CHECK", text}, {"!DEL", text}, {"!STATUS", text}, {"!GC", text}, {"VERSION", text}};
}

const std::vector<Case> kInputs{
    {"EmptyInput", "T06", config(), "{}", stdin_is("")},
    {"Garbage", "T06", config(), "{}", stdin_is("garbage")},
    {"TextAfterTheValue", "T06", config(), "{}", stdin_is(R"({"name": "n", "type": "bridge"} x)")},
    {"ByteOrderMark", "T06", config(), "{}",
     stdin_is("\xef\xbb\xbf"
              "null")},
    {"List", "T06", config(), "{}", stdin_is("[]")},
    {"Null", "T06", config(), "{}", stdin_is("null")},
    {"UnfinishedObject", "T06", config(), "{}", stdin_is(R"({"name": "n")")},
    {"NoName", "T06", config(), R"({"name": null})", {"!ADD", "!CHECK", "!DEL", "!STATUS", "!GC", "VERSION"}},
    {"EmptyName", "T06", config(), R"({"name": ""})", {"!ADD", "!CHECK", "!DEL"}},
    {"NameWithSlash", "T06", config(), R"({"name": "a/b"})", {"!ADD", "!CHECK", "!DEL", "!STATUS", "!GC"}},
    {"NameIsNumber", "T06", config(), R"({"name": 7})", {"!ADD", "!CHECK", "!DEL"}},
};
INSTANTIATE_TEST_SUITE_P(Inputs, Refusals, ::testing::ValuesIn(kInputs), case_name);

using Environment = std::map<std::string, std::string>;
Case environment(const char* name, const char* parity, const char* variable, const char* value) {
  const Environment env{{variable, value}};
  return {name, parity, config(), "{}", {{"!ADD", "{}", env}, {"!CHECK", "{}", env}, {"!DEL", "{}", env}}};
}

const Difference kDelGetsThrough{"outcome|stdout", "DEL removes all that it finds, whatever else is wrong", "DEL"};

Case arguments(const char* name, const char* parity, const char* value) {
  const Environment env{{"CNI_ARGS", value}};
  return {name,
          parity,
          config(),
          "{}",
          {{"!ADD", "{}", env}, {"!CHECK", "{}", env}, {"DEL", "{}", env}},
          {kDelGetsThrough}};
}

const Environment kNothing{
    {"CNI_CONTAINERID", ""}, {"CNI_NETNS", ""}, {"CNI_IFNAME", ""}, {"CNI_PATH", ""}, {"CNI_ARGS", ""}};
const std::vector<Case> kEnvironments{
    {"NoVariables",
     "T01 T09",
     config(),
     "{}",
     {{"!ADD", "{}", kNothing},
      {"!CHECK", "{}", kNothing},
      {"!DEL", "{}", kNothing},
      {"!STATUS", "{}", kNothing},
      {"!GC", "{}", kNothing},
      {"VERSION", "{}", kNothing}}},
    environment("ContainerBeginsWithDash", "T02", "CNI_CONTAINERID", "-a"),
    environment("ContainerWithSlash", "T02", "CNI_CONTAINERID", "a/b"),
    environment("ContainerWithNewline", "T02", "CNI_CONTAINERID", "a\n"),
    environment("ContainerWithLetterBeyondAscii", "T02", "CNI_CONTAINERID", "\xc3\xa4"),
    environment("InterfaceTooLong", "T03", "CNI_IFNAME", "a234567890123456"),
    environment("InterfaceIsDots", "T03", "CNI_IFNAME", ".."),
    environment("InterfaceWithColon", "T03", "CNI_IFNAME", "a:b"),
    environment("InterfaceWithBlank", "T03", "CNI_IFNAME", "a b"),
    environment("InterfaceWithWideBlank", "T03", "CNI_IFNAME",
                "a\xc2\xa0"
                "b"),
    {"InterfaceWithPercent",
     "D36",
     config(),
     "{}",
     {{"!ADD", "{}", {{"CNI_IFNAME", "e%d"}}}},
     {{"^reference: ", "D36: refused, as the kernel would take it for a pattern"}}},
    {"BadIdBeforeMissingName", "T04", config(), "{}", {{"!ADD", "{}", {{"CNI_CONTAINERID", "-"}, {"CNI_IFNAME", ""}}}}},
    {"CommandInLowerCase",
     "T05",
     config(),
     "{}",
     {{"!ADD", "{}", {{"CNI_COMMAND", "add"}}}, {"!ADD", "", {{"CNI_COMMAND", "FOO"}}}},
     {{"code [46]$", "the command is named, not the JSON that is not there"}}},
    {"NoCommand", "T08", config(), "{}", {{"VERSION", "", {{"CNI_COMMAND", ""}}}}},
    arguments("ArgumentsAreAWord", "T19", "FOO"),
    arguments("ArgumentsEndWithSemicolon", "T19", "MAC=02:00:00:00:00:01;"),
    arguments("ArgumentsWithTwoEquals", "T19", "A=b=c"),
    arguments("ArgumentsUnknown", "T18", "FOO=BAR"),
    arguments("ArgumentsWithBadIgnore", "T19", "IgnoreUnknown=yes;MAC=02:00:00:00:00:01"),
};
INSTANTIATE_TEST_SUITE_P(Environments, Refusals, ::testing::ValuesIn(kEnvironments), case_name);

/// A value that ADD does not take; the reference's STATUS and GC do not look.
Case key(const char* name, const char* parity, const char* patch, std::vector<Difference> differences = {}) {
  return {name, parity, bridge_config(), patch, {"!ADD"}, std::move(differences)};
}

const std::vector<Case> kKeys{
    key("MtuWithFraction", "T14", R"({"mtu": 1400.0})"),
    key("MtuAsText", "T14", R"({"mtu": "1400"})"),
    key("BridgeAsNumber", "T14", R"({"bridge": 7})"),
    key("GatewayAsText", "T14", R"({"isGateway": "yes"})"),
    key("MasqueradeAsNumber", "T14", R"({"ipMasq": 1})"),
    key("HairpinAsText", "T14", R"({"hairpinMode": "true"})"),
    key("PromiscuousAsList", "T14", R"({"promiscMode": []})"),
    key("ForceAddressAsObject", "T14", R"({"forceAddress": {"a": 1}})"),
    key("DuplicateDetectionAsText", "T14", R"({"enabledad": "no"})"),
    key("IpamAsText", "T14", R"({"ipam": "host-local"})"),
    key("DnsAsText", "T14", R"({"dns": "10.0.0.1"})"),
    key("DnsServersAsText", "T14", R"({"dns": {"nameservers": "10.0.0.1"}})"),
    key("CapabilitiesAsList", "T14", R"({"capabilities": [true]})"),
    key("PrevResultAsText", "T14", R"({"prevResult": "x"})"),
    key("RuntimeConfigAsList", "T14", R"({"runtimeConfig": [1]})"),
    key("MacAsNumber", "T30", R"({"runtimeConfig": {"mac": 7}})"),
    key("VlanNegative", "T28", R"({"vlan": -1})"),
    key("VlanTooLarge", "T28", R"({"vlan": 4095})"),
    key("VlanAsText", "T28", R"({"vlan": "100"})"),
    key("TrunkIdTooLarge", "T28", R"({"vlanTrunk": [{"id": 4095}]})"),
    key("TrunkIdZero", "T28", R"({"vlanTrunk": [{"id": 0}]})"),
    key("TrunkWithoutMaximum", "T28", R"({"vlanTrunk": [{"minID": 7}]})"),
    key("TrunkBackwards", "T28", R"({"vlanTrunk": [{"minID": 7, "maxID": 6}]})"),
    key("TrunkNull", "T28 D34", R"({"vlanTrunk": [null]})", {{"outcome|no error object", "D34: no crash"}}),
    {"DeleteWithBrokenKey",
     "T28",
     layer2_config(),
     "{}",
     {"ADD", {"DEL", R"({"vlan": 5000, "prevResult": "x"})"}},
     {{"^(reference|ours): ", kDelGetsThrough.reason, "DEL"}}},
    {"WholeList",
     "T06",
     config(),
     R"({"plugins": [{"type": "bridge"}]})",
     {"!ADD", "!DEL"},
     {{"^reference: (host|c1|outcome|stdout)|outcome", "a list is no plugin's configuration"}}},
    {"HairpinAndPromiscuous", "T27", bridge_config(), R"({"hairpinMode": true, "promiscMode": true})", {"!ADD"}},
    {"MacIsGarbage", "T30", bridge_config(), R"({"runtimeConfig": {"mac": "zz"}})", {"!ADD"}, {kLeftBehind}},
    {"MacIsMulticast",
     "T30",
     bridge_config(),
     R"({"runtimeConfig": {"mac": "01:00:00:00:00:01"}})",
     {"!ADD"},
     {kLeftBehind}},
    {"MacIsZero",
     "T30",
     bridge_config(),
     R"({"runtimeConfig": {"mac": "00:00:00:00:00:00"}})",
     {"!ADD"},
     {kLeftBehind}},
    {"BridgeNameTooLong", "T64", bridge_config(), R"({"bridge": "a-bridge-of-mine"})", {"!ADD"}},
    {"BridgeNameEmpty", "T64", bridge_config(), R"({"bridge": ""})", {"!ADD"}},
    {"BridgeNameWithPercent",
     "D36",
     bridge_config(),
     R"({"bridge": "br%d"})",
     {"!ADD"},
     {{"^reference: ", "D36: refused, as the kernel would take it for a pattern"}}},
    {"MtuTooLarge", "T64", bridge_config(), R"({"mtu": 100000})", {"!ADD"}},
    {"DisabledInterfaceWithIpam", "T27", bridge_config(), R"({"disableContainerInterface": true})", {"!ADD"}},
};
INSTANTIATE_TEST_SUITE_P(Keys, Refusals, ::testing::ValuesIn(kKeys), case_name);

}  // namespace
}  // namespace cnio::test
