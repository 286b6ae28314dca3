// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "plugin/configs.hpp"
#include "support/side_by_side.hpp"

namespace cnio::test {
namespace {

using Static = SideBySide;
TEST_P(Static, DoesTheSame) { play_both(); }

const std::vector<Step> kLife{"ADD", "CHECK", "STATUS", "GC", "DEL", "DEL"};

const Difference kStrict{".", "F2: what cannot work is refused"};
const Difference kBlindCheck{"^(reference: (outcome succeeded|stdout)|ours: outcome refused)", "F3: CHECK compares",
                             "!CHECK"};
const Difference kGateway{"stdout", "F1: GATEWAY is for configured addresses, too", "ADD"};
// STATUS is to say whether an ADD could work.
const Difference kStatus{"^(reference: (outcome succeeded|stdout)|ours: outcome refused)", "STATUS looks", "!STATUS"};

/// Every key.
Json all(const std::string& version) {
  Json config = static_config({}, version);
  config["ipam"].merge_patch(Json::parse(R"({
    "addresses": [{"address": "10.1.0.5/24", "gateway": "10.1.0.1"}, {"address": "fd00::5/64", "gateway": "fd00::1"}],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.9.0.0/16", "gw": "10.1.0.9", "mtu": 1400, "advmss": 1360,
                "priority": 7, "table": 100, "scope": 0}, {"dst": "::/0"}, {"dst": "10.8.0.9/16"}],
    "dns": {"nameservers": ["10.1.0.53", "x"], "domain": "d.example", "search": ["a", "b"], "options": ["ndots:2"]}
  })"));
  return config;
}

Json with_addresses(const std::string& list, const std::string& version = "1.1.0") {
  Json config = static_config({}, version);
  config["ipam"]["addresses"] = Json::parse(list);
  return config;
}
Json one(const std::string& member) { return with_addresses("[" + member + "]"); }

const std::vector<Case> kVersions{
    {"Version010", "T-F01", all("0.1.0"), "{}", {"ADD", "!CHECK", "DEL"}},
    {"Version020", "T-F01", all("0.2.0"), "{}", {"ADD", "!CHECK", "DEL"}},
    {"Version030", "T-F01", all("0.3.0"), "{}", {"ADD", "!CHECK", "DEL"}},
    {"Version031", "T-F01", all("0.3.1"), "{}", {"ADD", "!CHECK", "DEL"}},
    {"Version040", "T-F01", all("0.4.0"), "{}", {"ADD", "CHECK", "DEL"}},
    {"Version100", "T-F01", all("1.0.0"), "{}", {"ADD", "CHECK", "!STATUS", "!GC", "DEL"}},
    {"Version110", "T-F01", all("1.1.0"), R"({"cni.dev/valid-attachments": []})", kLife},
    {"WithoutVersion", "T-F01", all("1.1.0"), R"({"cniVersion": null})", {"ADD", "DEL"}},
    {"TwoOfOneFamilyBefore030", "T-F02", static_config({"10.1.0.5/24", "10.2.0.5/24"}, "0.2.0"), "{}", {"!ADD", "DEL"}},
    {"TwoOfOneFamilyWithoutVersion",
     "T-F02",
     static_config({"10.1.0.5/24", "10.2.0.5/24"}),
     R"({"cniVersion": null})",
     {"!ADD", "DEL"}},
    {"TwoOfOneFamily", "T-F02", static_config({"10.1.0.5/24", "10.2.0.5/24"}), "{}", {"ADD", "CHECK", "DEL"}},
    {"NoAddresses", "T-F02", static_config({}, "1.0.0"), "{}", {"ADD", "CHECK", "DEL"}},
    {"AddressesNull", "T-F02", static_config({}), R"({"ipam": {"addresses": null}})", {"ADD", "CHECK", "DEL"}},
    {"NoAddressesBefore030", "T-F02", static_config({}, "0.2.0"), "{}", {"!ADD", "DEL"}},
    {"OrderIsKept", "T-F01", static_config({"fd00::5/64", "10.2.0.5/16", "10.1.0.5/24", "fd00:1::5/64"}),
     R"({"ipam": {"addresses": [{"address": "fd00::5/64"}, {"address": "10.2.0.5/16"}, {"address": "10.1.0.5/24"}]}})",
     kLife},
    {"IpamTypeIsNotLookedAt", "T-F01", static_config(), R"({"ipam": {"type": "other"}})", {"ADD", "CHECK", "DEL"}},
    {"SpelledOtherwise",
     "T-F01",
     one(R"({"address": "FD00:0::5/64", "gateway": "fd00::00ff", "version": "6", "interface": 3})"),
     "{}",
     {"ADD", "CHECK", "DEL"}},
    {"MappedBecomesIpv4", "T-F01", one(R"({"address": "::ffff:10.1.0.5/120"})"), "{}", {"ADD", "CHECK"}},
    {"GatewayEmpty", "T-F01", one(R"({"address": "10.1.0.5/24", "gateway": ""})"), "{}", {"ADD", "CHECK"}},
};
INSTANTIATE_TEST_SUITE_P(Versions, Static, ::testing::ValuesIn(kVersions), case_name);

std::map<std::string, std::string> args(const char* text) { return {{"CNI_ARGS", text}}; }

const std::vector<Case> kSources{
    {"ArgumentsAppend",
     "T-F03",
     one(R"({"address": "10.9.0.5/24", "gateway": "10.9.0.1"})"),
     "{}",
     {{"ADD", "{}", args("IP=10.1.0.7/24 , 10.2.0.7/16,fd00::7/64;GATEWAY=10.2.0.1, fd00::1 ,10.1.0.254")},
      "CHECK",
      "DEL"}},
    {"ArgumentsOfTwoGateways",
     "T-F03",
     static_config({}),
     "{}",
     {{"ADD", "{}", args("IP=10.1.0.7/24;GATEWAY=10.1.0.1,10.1.0.2")}}},
    {"GatewayForConfigured",
     "T-F03 F1",
     static_config({"10.1.0.5/24", "10.2.0.5/24"}),
     "{}",
     {{"ADD", "{}", args("GATEWAY=10.2.0.1")}, {"ADD", "{}", args("IP=;GATEWAY=10.1.0.2")}},
     {kGateway}},
    {"ArgumentsBroken",
     "T-F05",
     static_config(),
     "{}",
     {{"!ADD", "{}", args("IP=10.1.0.7")},
      {"!ADD", "{}", args("IP=10.1.0.7/24,")},
      {"!ADD", "{}", args("IP=10.1.0.7/24,,10.1.0.8/24")},
      {"!ADD", "{}", args("IP=10.1.0.7/24;GATEWAY=x")},
      {"!ADD", "{}", args("FOO=BAR")},
      {"!ADD", "{}", args("ip=10.1.0.7/24")},
      {"!CHECK", R"({"prevResult": {}})", args("IP=10.1.0.7")}}},
    {"ArgumentsOfOthers",
     "T-F06 D32",
     static_config(),
     "{}",
     {{"ADD", "{}", args("MAC=02:00:00:00:00:01")}, {"DEL", "{}", args("MAC=02:00:00:00:00:01")}},
     {{".", "D32: MAC is for the bridge, and let pass", "ADD"}}},
    {"ArgumentsUnknownIgnored",
     "T-F06",
     static_config(),
     "{}",
     {{"ADD", "{}", args("IgnoreUnknown=1;FOO=BAR;IP=10.1.0.7/24;K8S_POD_NAME=p")}}},
    {"ArgsReplace",
     "T-F04",
     static_config(),
     R"({"args": {"cni": {"ips": ["10.7.0.5/24", "fd00::5/64"]}}})",
     {{"ADD", "{}", args("IP=10.1.0.7/24;GATEWAY=10.7.0.1")}, "CHECK", "DEL"}},
    {"RuntimeReplacesAll",
     "T-F04",
     static_config(),
     R"({"args": {"cni": {"ips": ["10.7.0.5/24"]}}, "runtimeConfig": {"ips": ["fd00::5/64", "10.8.0.5/24"]}})",
     {{"ADD", "{}", args("IP=10.1.0.7/24;GATEWAY=10.8.0.1")}, "CHECK", "DEL"}},
    {"EmptyListsReplaceNothing",
     "T-F04",
     static_config(),
     R"({"args": {"cni": {"ips": []}}, "runtimeConfig": {"ips": []}})",
     {"ADD", "CHECK"}},
    {"ReplacedNeedNotBeGood",
     "T-F04",
     one(R"({"address": "x"})"),
     R"({"runtimeConfig": {"ips": ["10.8.0.5/24"]}})",
     {"ADD", "CHECK"}},
    {"RequestWithoutPrefix",
     "T-F05",
     static_config(),
     R"({"runtimeConfig": {"ips": ["10.8.0.5"]}})",
     {"!ADD", "!CHECK"}},
    {"RequestWithBlank", "T-F05", static_config(), R"({"args": {"cni": {"ips": [" 10.8.0.5/24"]}}})", {"!ADD"}},
};
INSTANTIATE_TEST_SUITE_P(Sources, Static, ::testing::ValuesIn(kSources), case_name);

const std::vector<Case> kRefused{
    {"NoIpam", "T-F05", static_config(), R"({"ipam": null})", {"!ADD", "!STATUS", "DEL"}, {kStatus}},
    {"NoPrefix", "T-F05", one(R"({"address": "10.1.0.5"})"), "{}", {"!ADD", "!STATUS", "DEL"}, {kStatus}},
    {"LeadingZero", "T-F05", one(R"({"address": "10.1.0.05/24"})"), "{}", {"!ADD"}},
    {"Zone", "T-F05", one(R"({"address": "fe80::5%eth0/64"})"), "{}", {"!ADD"}},
    {"Blank", "T-F05", one(R"({"address": " 10.1.0.5/24"})"), "{}", {"!ADD"}},
    {"EntryEmpty", "T-F05", one("{}"), "{}", {"!ADD"}},
    {"EntryNull", "T-F05", one("null"), "{}", {"!ADD"}},
    {"GatewayAlone", "T-F05", one(R"({"gateway": "10.1.0.1"})"), "{}", {"!ADD"}},
    {"GatewayIsNone", "T-F05", one(R"({"address": "10.1.0.5/24", "gateway": "10.1.0"})"), "{}", {"!ADD"}},
    {"RouteToNowhere", "T-F05", static_config(), R"({"ipam": {"routes": [{"dst": "x"}]}})", {"!ADD"}},
    {"BrokenIsNoHindranceForDel",
     "T-F06",
     static_config(),
     "{}",
     {"ADD",
      {"DEL", R"({"ipam": null})"},
      {"DEL", R"({"ipam": {"addresses": [7]}})"},
      {"DEL", R"({"ipam": 7})"},
      {"DEL", "{}", args("FOO=BAR")}}},
};
INSTANTIATE_TEST_SUITE_P(Refused, Static, ::testing::ValuesIn(kRefused), case_name);

/// Those that the reference takes.
Case strict(const char* name, const char* parity, Json config, const char* patch = "{}") {
  return {name, parity, std::move(config), patch, {"!ADD", "DEL"}, {kStrict}};
}

const std::vector<Case> kStricter{
    strict("NetworkAddress", "T-F05 F2", one(R"({"address": "10.1.0.0/24"})")),
    strict("NetworkAddressOfSix", "T-F05 F2", one(R"({"address": "fd00::/64"})")),
    strict("BroadcastAddress", "T-F05 F2", one(R"({"address": "10.1.0.255/24"})")),
    strict("MulticastAddress", "T-F05 F2", one(R"({"address": "224.0.0.5/24"})")),
    strict("LoopbackAddress", "T-F05 F2", one(R"({"address": "127.0.0.5/8"})")),
    strict("WholeWorld", "T-F05 F2", one(R"({"address": "10.1.0.5/0"})")),
    strict("TwiceTheSame", "T-F05 F2", static_config({"10.1.0.5/24", "10.1.0.5/16"})),
    strict("GatewayOutside", "T-F05 F2", one(R"({"address": "10.1.0.5/24", "gateway": "10.2.0.1"})")),
    strict("GatewayOfAnotherFamily", "T-F05 F2", one(R"({"address": "10.1.0.5/24", "gateway": "fd00::1"})")),
    strict("GatewayIsTheContainer", "T-F05 F2", one(R"({"address": "10.1.0.5/24", "gateway": "10.1.0.5"})")),
    strict("RouteWithoutDestination", "T-F05 F2", static_config(), R"({"ipam": {"routes": [{"gw": "10.1.0.1"}]}})"),
    strict("RouteNull", "T-F05 F2", static_config(), R"({"ipam": {"routes": [null]}})"),
    {"GatewayOfArgumentsOutside",
     "T-F05 F1",
     static_config(),
     "{}",
     {{"!ADD", "{}", args("IP=10.1.0.7/24;GATEWAY=10.2.0.1")}},
     {{".", "F1: a gateway for nobody is refused"}}},
    // What works is not refused.
    {"GatewayOfASingleAddress",
     "F2",
     one(R"({"address": "10.1.0.5/32", "gateway": "169.254.1.1"})"),
     R"({"ipam": {"routes": [{"dst": "169.254.1.1/32", "scope": 253}, {"dst": "0.0.0.0/0", "gw": "169.254.1.1"}]}})",
     {"ADD", "CHECK"}},
    {"GatewayIsLinkLocal",
     "F2",
     with_addresses(R"([{"address": "fd00::5/64", "gateway": "fe80::1"}, {"address": "10.1.0.5/24",
                         "gateway": "169.254.1.1"}])"),
     "{}",
     {"ADD", "CHECK"}},
    {"GatewayByARouteOfScopeLink",
     "F2",
     one(R"({"address": "10.1.0.5/24", "gateway": "10.2.0.1"})"),
     R"({"ipam": {"routes": [{"dst": "10.2.0.0/24", "scope": 253}]}})",
     {"ADD", "CHECK"}},
    {"PointToPoint", "F2", one(R"({"address": "10.1.0.4/31", "gateway": "10.1.0.5"})"), "{}", {"ADD", "CHECK"}},
};
INSTANTIATE_TEST_SUITE_P(Stricter, Static, ::testing::ValuesIn(kStricter), case_name);

const std::vector<Case> kChecks{
    {"CheckWithoutPrevResult", "T-F07", static_config(), R"({"prevResult": null})", {"!CHECK"}},
    {"CheckLacksTheAddress",
     "T-F07 F3",
     static_config(),
     "{}",
     {Step("!CHECK", R"({"prevResult": {"ips": [{"address": "10.1.0.6/24", "gateway": "10.1.0.1"}]}})")},
     {kBlindCheck}},
    {"CheckHasNoAddress", "T-F07 F3", static_config(), "{}", {Step("!CHECK", R"({"prevResult": {}})")}, {kBlindCheck}},
    {"CheckOtherPrefix",
     "T-F07 F3",
     static_config(),
     "{}",
     {Step("!CHECK", R"({"prevResult": {"ips": [{"address": "10.1.0.5/16", "gateway": "10.1.0.1"}]}})")},
     {kBlindCheck}},
    {"CheckOtherGateway",
     "T-F07",
     static_config(),
     "{}",
     {Step("!CHECK", R"({"prevResult": {"ips": [{"address": "10.1.0.5/24", "gateway": "10.1.0.2"}]}})")}},
    {"CheckGatewayOfTheCaller",
     "T-F07",
     one(R"({"address": "10.1.0.5/24"})"),
     "{}",
     {Step("CHECK", R"({"prevResult": {"ips": [{"address": "10.1.0.5/24", "gateway": "10.1.0.2"}]}})")}},
    {"CheckAddressesOfOthers",
     "T-F07",
     static_config(),
     "{}",
     {Step("CHECK", R"({"prevResult": {"ips": [{"address": "fd00::9/64"},
                              {"address": "10.1.0.5/24", "gateway": "10.1.0.1"}]}})")}},
};
INSTANTIATE_TEST_SUITE_P(Checks, Static, ::testing::ValuesIn(kChecks), case_name);

}  // namespace
}  // namespace cnio::test
