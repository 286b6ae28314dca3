// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "plugin/configs.hpp"
#include "support/side_by_side.hpp"

namespace cnio::test {
namespace {

using Loopback = SideBySide;
TEST_P(Loopback, DoesTheSame) { play_both(); }

const Difference kShape{"stdout", "D5: a result has the shape of its version", "ADD"};
const Json kPrevious = {{"cniVersion", "1.0.0"},
                        {"interfaces", Json::array({{{"name", "a<b&c"}, {"sandbox", "/run/netns/c1"}, {"mtu", 1400}}})},
                        {"ips", Json::array({{{"address", "10.1.0.2/24"}, {"interface", 0}}})},
                        {"dns", {{"nameservers", {"10.0.0.1"}}}}};

Json chained(const std::string& version) { return with_prev_result(loopback_config(version), kPrevious); }

const std::vector<Case> kCases{
    {"Version010", "T87 D5", loopback_config("0.1.0"), "{}", {"ADD", "!CHECK", "DEL"}, {kShape}},
    {"Version020", "T87 D5", loopback_config("0.2.0"), "{}", {"ADD", "!CHECK", "DEL"}, {kShape}},
    {"Version030", "T87 D5", loopback_config("0.3.0"), "{}", {"ADD", "!CHECK", "DEL"}, {kShape}},
    {"Version031", "T87 D5", loopback_config("0.3.1"), "{}", {"ADD", "!CHECK", "DEL"}, {kShape}},
    {"Version040", "T87 D5", loopback_config("0.4.0"), "{}", {"ADD", "CHECK", "DEL", "!CHECK"}, {kShape}},
    {"Version100", "T87", loopback_config("1.0.0"), "{}", {"ADD", "CHECK", "DEL", "!CHECK", "!STATUS", "!GC"}},
    {"Version110", "T87", loopback_config("1.1.0"), "{}", {"STATUS", "ADD", "ADD", "CHECK", "DEL", "DEL", "!CHECK"}},
    {"VersionMissing", "T87", loopback_config(), R"({"cniVersion": null})", {"ADD", "DEL"}},
    {"PreviousResult", "T13 T87", chained("1.0.0"), "{}", {"ADD", "DEL"}},
    {"PreviousResultOfTheSameGroup", "T25", chained("1.1.0"), "{}", {"ADD"}},
    {"PreviousResultOfAnotherGroup", "T25", chained("0.4.0"), "{}", {"!ADD"}},
    {"PreviousResultWithoutVersion", "T25", chained("1.0.0"), R"({"prevResult": {"cniVersion": ""}})", {"!ADD"}},
    {"PreviousResultIsText", "T25", chained("1.0.0"), R"({"prevResult": "x"})", {"!ADD"}},
    {"AnotherAddressOnLo",
     "T87",
     loopback_config(),
     "{}",
     {"$ ip -n c1 addr add 10.1.0.1/32 dev lo", "!ADD"},
     {{"^reference: c1 (lo|route)", "it is refused before lo is set up"}}},
    {"InterfaceNameIsNotUsed", "T87", loopback_config(), "{}", {"ADD c1 whatever", "CHECK c1 another"}},
    {"ArgumentsAreNotLookedAt",
     "T18",
     loopback_config(),
     "{}",
     {{"ADD", "{}", {{"CNI_ARGS", "FOO"}}}, {"DEL", "{}", {{"CNI_ARGS", "FOO=BAR"}}}}},
    {"NamespaceGone",
     "T16",
     loopback_config(),
     "{}",
     {"$ ip netns del c1", "DEL", "!ADD", "!CHECK", {"DEL", "{}", {{"CNI_NETNS", ""}}}}},
    {"PlainFileAsNamespace",
     "T17 D21",
     loopback_config(),
     "{}",
     {"$ umount /run/netns/c1", "!ADD", "DEL"},
     {{"(outcome|stdout)", "D21: a file that is no namespace is a namespace that is gone", "DEL"}}},
    {"ForgottenConfiguration",
     "T14",
     loopback_config(),
     R"({"ipam": {}, "dns": {"nameservers": ["1.1.1.1"]}})",
     {"ADD", "DEL"}},
};
INSTANTIATE_TEST_SUITE_P(All, Loopback, ::testing::ValuesIn(kCases), case_name);

}  // namespace
}  // namespace cnio::test
