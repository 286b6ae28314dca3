// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "side_by_side/bridge_cases.hpp"

namespace cnio::test {
namespace {

using Bandwidth = SideBySide;
TEST_P(Bandwidth, DoesTheSame) { play_both(); }

const char* const kPod =
    "$ ip link add vc1 type veth peer name eth0 netns c1; ip link set vc1 up; ip -n c1 link set eth0 up";
// Counters of references differ with what is in flight; the peak rate is that of ours.
const char* const kHostEnd =
    "? tc -r qdisc show dev vc1 | sed -E 's/refcnt [0-9]+//; s/ peakrate [^ ]+ lat 0us//'; true";
const char* const kIfb =
    "? tc -r qdisc show dev bwp9b00b9b7c279 | sed -E 's/refcnt [0-9]+//; s/ peakrate [^ ]+ lat 0us//'; true";
const char* const kLink = "? ip -o -d link show bwp9b00b9b7c279 | sed -E 's/^[0-9]+//; s/link.ether [^ ]+//'; true";
const char* const kFilters =
    "? tc filter show dev vc1 parent ffff: | grep -v index | sed -E 's/ (not_in_hw|refcnt [0-9]+)//'; true";

Json chained(const Json& limits, const std::string& version = "1.0.0") {
  const Json interfaces = {{{"name", "vc1"}}, {{"name", "eth0"}, {"sandbox", "/run/netns/c1"}}};
  return {{"cniVersion", version},
          {"name", "n"},
          {"type", "bandwidth"},
          {"runtimeConfig", {{"bandwidth", limits}}},
          {"prevResult", {{"cniVersion", version}, {"interfaces", interfaces}}}};
}
Json both() {
  return chained(
      {{"ingressRate", 8'000'000}, {"ingressBurst", 800'000}, {"egressRate", 16'000'000}, {"egressBurst", 1'600'000}});
}

const Difference kQueue{"qdisc tbf", "U20: what waits is bounded by the latency alone"};
const Difference kRest{"^(reference: answer (qdisc|filter)|ours: answer( qdisc noqueue.*)?\\s+status 0)",
                       "U25: DEL leaves nothing"};
const Difference kBehind{"filter (parent ffff: )?protocol all pref|match 00000000|action order",
                         "U27: behind the filters of others"};
const Difference kMarked{"bwp9b00b9b7c279", "U32: whose an ifb is, its alias says; it has no IPv6 address"};

const std::vector<Case> kLimits{
    {"BothWays", "T-U24", both(), "{}", {kPod, "ADD", kHostEnd, kIfb, kLink, kFilters}, {kQueue, kBehind, kMarked}},
    {"NothingIsLeft", "T-U25 T-U35", both(), "{}", {kPod, "ADD", "DEL", kLink, kHostEnd, kFilters}, {kMarked, kRest}},
    {"WithoutLimits", "T-U29", chained(Json::object()), "{}", {kPod, "ADD", kHostEnd, "CHECK", "DEL"}, {}},
    {"RateOnly", "T-U30", chained({{"ingressRate", 8'000'000}}), "{}", {kPod, "!ADD", kHostEnd}, {}},
    {"BurstOnly", "T-U30", chained({{"egressBurst", 8'000'000}}), "{}", {kPod, "!ADD", kHostEnd}, {}},
    {"Negative", "T-U30", chained({{"ingressRate", -1}, {"ingressBurst", 8}}), "{}", {kPod, "!ADD", kHostEnd}, {}},
    {"Fraction", "T-U30", chained({{"ingressRate", 1.5}, {"ingressBurst", 8}}), "{}", {kPod, "!ADD", kHostEnd}, {}},
    {"Text", "T-U30", chained({{"ingressRate", "1M"}, {"ingressBurst", 8}}), "{}", {kPod, "!ADD", kHostEnd}, {}},
    {"BurstBeyond32Bits",
     "T-U30",
     chained({{"ingressRate", 8'000'000}, {"ingressBurst", 34'359'738'360}}),
     "{}",
     {kPod, "!ADD", kHostEnd},
     {}},
    {"CableIsElsewhere",
     "T-U42",
     both(),
     R"({"prevResult": {"interfaces": [{"name": "other"}]}})",
     {kPod, "!ADD", kHostEnd, kLink},
     {}},
    {"RootOfOthers",
     "T-U36",
     both(),
     "{}",
     {kPod, "$ tc qdisc add dev vc1 root handle 7: htb", "!ADD", "? tc qdisc show dev vc1 | cut -d' ' -f2,3", kLink},
     {}},
};
INSTANTIATE_TEST_SUITE_P(Limits, Bandwidth, ::testing::ValuesIn(kLimits), case_name);

}  // namespace
}  // namespace cnio::test
