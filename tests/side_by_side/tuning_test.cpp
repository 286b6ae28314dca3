// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "plugin/tuning_fixture.hpp"
#include "side_by_side/bridge_cases.hpp"

namespace cnio::test {
namespace {

using Tuning = SideBySide;
TEST_P(Tuning, DoesTheSame) { play_both(); }

const char* const kInterface =
    "$ ip link add v1 type veth peer name eth0 address 02:00:00:00:00:05 netns c1; ip link set v1 up; "
    "ip -n c1 link set eth0 up";
const char* const kFlags = "? ip -n c1 -j -d link show eth0 | grep -oE '\"(promiscuity|allmulti|txqlen|mtu)\":[0-9]+'";
// All that the reference writes, in its bytes.
const char* const kBackup = "? head -c 60 /run/cni/tuning/c1_eth0.json; ls -l /run/cni/tuning | cut -c1-10";
const char* const kSomaxconn = "? ip netns exec c1 cat /proc/sys/net/core/somaxconn";

Json chained(const std::string& version = "1.0.0") {
  const Json interfaces = {{{"name", "v1"}}, {{"name", "eth0"}, {"sandbox", "/run/netns/c1"}}};
  const Json ips = {{{"address", "10.1.0.5/24"}, {"interface", 1}}};
  return {{"cniVersion", version},
          {"name", "net"},
          {"type", "tuning"},
          {"prevResult", {{"cniVersion", version}, {"interfaces", interfaces}, {"ips", ips}}}};
}

// What the reference leaves.
const Difference kSysctlStays{"^(reference|ours): (answer [0-9]+|c1 sysctl)", "U11: DEL puts sysctls back"};
const Difference kHalfDone{"^(reference|ours): (c1|file)", "U12: refused before anything is changed"};
const Difference kDelSucceeds{"^(reference: (outcome refused|code)|ours: (outcome succeeded|stdout))",
                              "DEL succeeds whatever the configuration says", "DEL"};

const std::vector<Case> kLinks{
    {"AllKeys",
     "T-U12",
     chained(),
     R"({"mac": "02:00:00:00:00:77", "promisc": true, "mtu": 1400, "allmulti": true, "txQLen": 77})",
     {kInterface, "ADD", kFlags, kBackup, "CHECK", "DEL", kFlags, "DEL"}},
    {"MacOnly", "T-U12", chained(), R"({"mac": "02:00:00:00:00:77"})", {kInterface, "ADD", "CHECK", "DEL"}},
    {"NothingToDo", "T-U12", chained(), "{}", {kInterface, "ADD", "CHECK", "DEL"}},
    {"FalseAndZero",
     "T-U21",
     chained(),
     R"({"promisc": false, "mtu": 0, "allmulti": false, "txQLen": 0, "mac": ""})",
     {kInterface, "$ ip -n c1 link set eth0 promisc on allmulticast on", "ADD", kFlags, "DEL", kFlags}},
    {"MacByArgs",
     "T-U09",
     chained(),
     R"({"mac": "02:00:00:00:00:04", "runtimeConfig": {"mac": "02:00:00:00:00:02"},
         "args": {"cni": {"mac": "02:00:00:00:00:01"}}})",
     {kInterface, {"ADD", "{}", {{"CNI_ARGS", "MAC=02:00:00:00:00:03"}}}, "DEL"}},
    {"MacByRuntime",
     "T-U09",
     chained(),
     R"({"mac": "02:00:00:00:00:04", "runtimeConfig": {"mac": "02:00:00:00:00:02"}})",
     {kInterface, {"ADD", "{}", {{"CNI_ARGS", "MAC=02:00:00:00:00:03"}}}, "DEL"}},
    {"MacByCniArgs",
     "T-U09",
     chained(),
     R"({"mac": "02:00:00:00:00:04"})",
     {kInterface, {"ADD", "{}", {{"CNI_ARGS", "MAC=02:00:00:00:00:03"}}}, "DEL"}},
    {"EmptyMacOfArgs",
     "T-U09",
     chained(),
     R"({"mac": "02:00:00:00:00:04", "args": {"cni": {"mac": ""}}})",
     {kInterface, "ADD", "DEL"}},
    {"InterfaceIsMissing", "T-U14", chained(), R"({"mtu": 1400})", {"!ADD", "DEL"}},
    {"SandboxIsMissing",
     "T-U14",
     chained(),
     R"({"mtu": 1400})",
     {{"DEL", "{}", {{"CNI_NETNS", ""}}}, {"DEL", "{}", {{"CNI_NETNS", "/run/netns/none"}}}}},
};
INSTANTIATE_TEST_SUITE_P(Links, Tuning, ::testing::ValuesIn(kLinks), case_name);

const std::vector<Case> kSysctls{
    {"ByDots",
     "T-U03",
     chained(),
     R"({"sysctl": {"net.core.somaxconn": "77"}})",
     {kInterface, "ADD", kSomaxconn, "CHECK", "DEL", kSomaxconn},
     {kSysctlStays}},
    {"BySlashesWithPlaceholder",
     "T-U03",
     chained(),
     R"({"sysctl": {"net/ipv4/conf/IFNAME/rp_filter": "2"}})",
     {kInterface, "ADD", "CHECK", "DEL"},
     {kSysctlStays}},
    {"Mixed",
     "T-U03",
     chained(),
     R"({"sysctl": {"net.core/somaxconn": "77"}})",
     {kInterface, "ADD", kSomaxconn, "CHECK", "DEL", kSomaxconn},
     {kSysctlStays}},
    {"OutsideOfNet", "T-U03", chained(), R"({"sysctl": {"kernel.sem": "1"}})", {kInterface, "!ADD", "DEL"}},
    {"NotThere", "T-U03", chained(), R"({"sysctl": {"net.core.no_such": "1"}})", {kInterface, "!ADD", "DEL"}},
    {"ReadOnly",
     "T-U03",
     chained(),
     R"({"sysctl": {"net.ipv4.tcp_available_congestion_control": "1"}})",
     {kInterface, "!ADD", "DEL"}},
    {"NumberAsValue", "T-U07", chained(), R"({"sysctl": {"net.core.somaxconn": 5}})", {kInterface, "!ADD"}},
    {"BadValue", "T-U07", chained(), R"({"sysctl": {"net.core.somaxconn": "abc"}})", {kInterface, "!ADD", "DEL"}},
};
INSTANTIATE_TEST_SUITE_P(Sysctls, Tuning, ::testing::ValuesIn(kSysctls), case_name);

const std::vector<Case> kRefusals{
    {"WithoutResult",
     "T-U02",
     chained(),
     R"({"prevResult": null, "mtu": 1400})",
     {kInterface, "!ADD", "!CHECK", "DEL"}},
    {"MtuIsTooLarge",
     "T-U17",
     chained(),
     R"({"mac": "02:00:00:00:00:77", "promisc": true, "mtu": 70000})",
     {kInterface, "!ADD"},
     {kHalfDone}},
    {"MacOfAGroup", "T-U10", chained(), R"({"mac": "01:00:00:00:00:01"})", {kInterface, "!ADD"}},
    {"WrongTypes", "T-U21", chained(), R"({"promisc": "yes"})", {kInterface, "!ADD", "!CHECK"}},
    {"Float", "T-U21", chained(), R"({"mtu": 1400.5})", {kInterface, "!ADD"}},
    {"UnknownArguments",
     "T-U23",
     chained(),
     R"({"mtu": 1400})",
     {kInterface,
      {"!ADD", "{}", {{"CNI_ARGS", "FOO=bar"}}},
      {"ADD", "{}", {{"CNI_ARGS", "IgnoreUnknown=1;FOO=bar"}}},
      {"DEL", "{}", {{"CNI_ARGS", "IgnoreUnknown=1;FOO=bar"}}}}},
    {"UnknownArgumentsOfDel",
     "T-U23",
     chained(),
     R"({"mtu": 1400})",
     {kInterface, "ADD", {"DEL", "{}", {{"CNI_ARGS", "FOO=bar"}}}},
     {kDelSucceeds, {"^(reference|ours): (c1|file)", "DEL succeeds whatever CNI_ARGS hold", "DEL"}}},
};
INSTANTIATE_TEST_SUITE_P(Refusals, Tuning, ::testing::ValuesIn(kRefusals), case_name);

// ---- exchanged under a running pod

class TuningSwap : public TuningTest {};

TEST_F(TuningSwap, MadeByTheReferenceDeletedByOurs) {
  PARITY("T-U13");
  const std::string before = looks();
  ASSERT_EQ(by_reference("ADD", all_keys(), pod_).exit_code, 0);
  EXPECT_EQ(looks(), std::string(kMac) + " 1400 77++");
  EXPECT_TRUE(succeeded_silently(check(all_keys(), pod_)));
  must_del(all_keys(), pod_);
  EXPECT_EQ(looks(), before);
  EXPECT_TRUE(backups().empty());
}

TEST_F(TuningSwap, MadeByOursDeletedByTheReference) {
  PARITY("T-U13 U11");
  const std::string before = looks();
  Json keys = all_keys();
  keys["sysctl"] = {{"net.core.somaxconn", "66"}};
  must_add(keys, pod_);
  EXPECT_EQ(by_reference("CHECK", keys, pod_).exit_code, 0);
  EXPECT_EQ(by_reference("DEL", keys, pod_).exit_code, 0);
  EXPECT_EQ(looks(), before);
  EXPECT_TRUE(backups().empty());
}

TEST_F(TuningSwap, AddedByEachInTurnTheFirstValuesStay) {
  PARITY("T-U13 U8");
  const std::string before = looks();
  Json again = all_keys();
  again["mtu"] = 1300;
  ASSERT_EQ(by_reference("ADD", all_keys(), pod_).exit_code, 0);
  must_add(again, pod_);
  must_del(again, pod_);
  EXPECT_EQ(looks(), before);
}

TEST_F(TuningSwap, OurGcLeavesTheReferencesBackups) {
  ASSERT_EQ(by_reference("ADD", all_keys(), pod_).exit_code, 0);
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(all_keys(), {}))));
  EXPECT_EQ(backups().size(), 1U);
  must_del(all_keys(), pod_);
}

}  // namespace
}  // namespace cnio::test
