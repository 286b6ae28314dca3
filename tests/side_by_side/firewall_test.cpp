// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "side_by_side/bridge_cases.hpp"

namespace cnio::test {
namespace {

using Firewall = SideBySide;
TEST_P(Firewall, DoesTheSame) { play_both(); }

const char* const kPorts =
    "$ ip link add br0 type bridge; ip link set br0 up; "
    "ip link add vc1 type veth peer name eth0 netns c1; ip link set vc1 master br0 up";
const char* const kRules = "? iptables -S | grep -v -e '--ctstate DNAT' -e '-s 10.1.0.5/32 -d 10.1.0.5/32'; true";

Json chained(const std::string& version = "1.0.0") {
  const Json interfaces = {{{"name", "br0"}}, {{"name", "vc1"}}, {{"name", "eth0"}, {"sandbox", "/run/netns/c1"}}};
  const Json ips = {{{"address", "10.1.0.5/24"}, {"interface", 2}}};
  return {{"cniVersion", version},
          {"name", "net"},
          {"type", "firewall"},
          {"backend", "iptables"},
          {"prevResult", {{"cniVersion", version}, {"interfaces", interfaces}, {"ips", ips}}}};
}

Json dual_stack() {
  Json config = chained();
  config["prevResult"]["ips"].push_back({{"address", "fd01::5/64"}, {"interface", 2}});
  return config;
}

// What ours has besides; nft shows each match of conntrack alike.
const Difference kMapped{"^ours: host nft .*\"conntrack\"", "P30: what is mapped to a pod is accepted"};
const Difference kOwnTables{"^ours: host nft .*cnio_firewall", "P35, P37: which pods a policy is for, and their ports"};
const Difference kOwnLoop{"^ours: host nft .*CNI-ISOLATION-STAGE-1.*\"return\"",
                          "P37: a pod reaches its own mapped port"};
const Difference kPolicyGoes{"^reference: (host nft|answer) .*ISOLATION",
                             "P35: a policy goes with the last pod of its bridge"};
const Difference kRulesGo{"10.1.0.5", "P31: DEL needs no prevResult"};
const Difference kNothingLeft{"^reference: host nft", "P36: refused before anything is made"};

const std::vector<Case> kRulesOfPods{
    {"OneFamily",
     "T-P50",
     chained(),
     "{}",
     {kPorts, "ADD", kRules, "ADD", kRules, "CHECK", "DEL", kRules, "DEL", kRules},
     {kMapped}},
    {"BothFamilies",
     "T-P50",
     dual_stack(),
     "{}",
     {kPorts, "ADD", kRules, "? ip6tables -S | grep -v -e '--ctstate DNAT'", "CHECK", "DEL", "? ip6tables -S"},
     {kMapped}},
    {"AdminChain",
     "T-P57",
     chained(),
     R"({"iptablesAdminChainName": "NOMAD-ADMIN"})",
     {"ADD", kRules, "CHECK", "DEL"},
     {kMapped}},
    {"AdminChainIsTooLong",
     "T-P57",
     chained(),
     R"({"iptablesAdminChainName": "CNI-ADMIN-OF-MORE-THAN-28-CHARS"})",
     {"!ADD"},
     {{"^reference: host nft", "P36: refused before anything is made"}}},
    {"UnknownBackend", "T-P58", chained(), R"({"backend": "foo"})", {"ADD", kRules, "DEL"}, {kMapped}},
    {"WithoutResult",
     "T-P51",
     chained(),
     "{}",
     {"ADD", {"DEL", R"({"prevResult": null})"}, "? iptables -S; true", "DEL"},
     {kMapped, kRulesGo}},
    {"ResultIsMissing", "T-P51", chained(), R"({"prevResult": null})", {"!ADD", "!CHECK", "DEL"}, {}},
    {"CheckOfNothing", "T-P62", chained(), "{}", {"!CHECK"}, {{"^reference: host nft", "P38: CHECK changes nothing"}}},
    {"WrongType", "T-P58", chained(), R"({"backend": 7})", {"!ADD"}, {}},
};
INSTANTIATE_TEST_SUITE_P(Pods, Firewall, ::testing::ValuesIn(kRulesOfPods), case_name);

const std::vector<Case> kPolicies{
    {"SameBridge",
     "T-P52",
     chained(),
     R"({"ingressPolicy": "same-bridge"})",
     {kPorts, "ADD", kRules, "ADD", kRules, "CHECK", "DEL", "DEL"},
     {kMapped, kOwnTables, kPolicyGoes}},
    {"Isolated",
     "T-P52",
     chained(),
     R"({"ingressPolicy": "isolated"})",
     {kPorts, "ADD", kRules, "CHECK", "DEL"},
     {kMapped, kOwnTables, kOwnLoop, kPolicyGoes}},
    {"UnknownPolicy",
     "T-P55",
     chained(),
     R"({"ingressPolicy": "foo"})",
     {"!ADD", "DEL"},
     {kNothingLeft, {"outcome|ours: stdout", "P36: DEL takes every configuration", "DEL"}}},
};
INSTANTIATE_TEST_SUITE_P(Policies, Firewall, ::testing::ValuesIn(kPolicies), case_name);

}  // namespace
}  // namespace cnio::test
