// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bandwidth/config.hpp"
#include "bandwidth/names.hpp"
#include "bandwidth/plan.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::bandwidth {
namespace {

Result<Config> parse(const std::string& keys) {
  const protocol::Environment environment(
      {"CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/x", "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin"});
  auto request = protocol::parse_environment(environment);
  EXPECT_OK(request);
  EXPECT_OK(protocol::parse_stdin(request.value(), R"({"cniVersion": "1.1.0", "name": "n", "type": "bandwidth")" +
                                                       (keys.empty() ? "" : ", " + keys) + "}"));
  return parse_config(request.value());
}

Config good(const std::string& keys) {
  const auto config = parse(keys);
  EXPECT_OK(config);
  return config.ok() ? config.value() : Config();
}

std::string runtime(const std::string& keys) { return R"("runtimeConfig": {"bandwidth": {)" + keys + "}}"; }

TEST(BandwidthConfig, NeedsNoKey) {
  PARITY("T-U29");
  EXPECT_TRUE(good("").empty());
  EXPECT_EQ(good("").latency_ms, 25U);
  EXPECT_TRUE(good(runtime("")).empty());
}

TEST(BandwidthConfig, EachWayByItself) {
  PARITY("T-U24");
  const Config config = good(runtime(R"("ingressRate": 8000, "ingressBurst": 16000)"));
  EXPECT_EQ(config.ingress, (Limit{8'000, 16'000}));
  EXPECT_FALSE(config.egress);
  EXPECT_EQ(good(R"("egressRate": 8, "egressBurst": 1)").egress, (Limit{8, 1}));
}

TEST(BandwidthConfig, ZeroAndNullShadowNothing) {
  PARITY("T-U28 U22");
  const std::string of_pod = runtime(R"("ingressRate": 8000, "ingressBurst": 16000)");
  for (const char* nothing : {R"("ingressRate": 0)", R"("egressRate": null)",
                              R"("ingressRate": 0, "ingressBurst": 0, "egressBurst": null)"}) {
    EXPECT_EQ(good(nothing + std::string(", ") + of_pod).ingress, (Limit{8'000, 16'000})) << nothing;
  }
  const Config config = good(R"("egressRate": 80, "egressBurst": 90, )" + of_pod);
  EXPECT_FALSE(config.ingress) << "as a whole";
  EXPECT_EQ(config.egress, (Limit{80, 90}));
}

TEST(BandwidthConfig, OtherPlacesAreNone) {
  PARITY("T-U28");
  EXPECT_TRUE(good(R"("bandwidth": {"ingressRate": 8000, "ingressBurst": 8000})").empty());
  EXPECT_TRUE(good(R"("args": {"cni": {"ingressRate": 8000, "ingressBurst": 8000}})").empty());
}

TEST(BandwidthConfig, FaultsNameTheirKey) {
  PARITY("T-U30");
  struct Fault {
    const char* keys;
    const char* named;
  };
  for (const Fault& fault :
       {Fault{R"("ingressRate": 8000)", "ingressBurst"}, Fault{R"("ingressBurst": 8000)", "ingressRate"},
        Fault{R"("egressRate": -1, "egressBurst": 8)", "egressRate"},
        Fault{R"("egressRate": 1.5, "egressBurst": 8)", "egressRate"},
        Fault{R"("egressRate": 1e6, "egressBurst": 8)", "egressRate"},
        Fault{R"("egressRate": "1M", "egressBurst": 8)", "egressRate"},
        Fault{R"("egressRate": 7, "egressBurst": 8)", "egressRate"},
        Fault{R"("egressRate": 8000, "egressBurst": 34359738360)", "egressBurst"},
        Fault{R"("latency": 0)", "latency"}}) {
    EXPECT_ERROR(parse(fault.keys), Code::kInvalidConfig, std::string("key \"") + fault.named);
  }
  EXPECT_ERROR(parse(runtime(R"("egressRate": 8000)")), Code::kInvalidConfig, "runtimeConfig.bandwidth.egressBurst");
  EXPECT_EQ(good(R"("egressRate": 8000, "egressBurst": 34359738358)").egress->burst, 34'359'738'358U);
}

TEST(BandwidthPlan, IsWhatWasAskedFor) {
  PARITY("T-U24 U20");
  EXPECT_EQ(plan_tbf({8'000'000, 800'000}, 1'500, 25), (net::TbfSpec{1'000'000, 100'000, 26'518}));
  EXPECT_EQ(plan_tbf({8'000'000, 800'000}, 9'000, 100), (net::TbfSpec{1'000'000, 100'000, 109'018}));
}

TEST(BandwidthPlan, NoBurstIsSmallerThanAFrame) {
  PARITY("T-U32 U21");
  EXPECT_EQ(plan_tbf({8'000'000, 8}, 1'500, 25).burst, 1'518U);
  EXPECT_EQ(plan_tbf({8, 8}, 1'500, 25).limit, 1'518U);
}

TEST(BandwidthPlan, BurstsThatMeanNothingAreChosen) {
  PARITY("T-U31 U19 U20");
  for (const uint64_t burst : {uint64_t{4'294'967'295}, uint64_t{34'359'738'359}, uint64_t{2'147'483'647}}) {
    EXPECT_TRUE(means_choose(burst));
    EXPECT_EQ(plan_tbf({8'000, burst}, 1'500, 25).burst, 30'360U) << "twenty frames";
    EXPECT_EQ(plan_tbf({80'000'000, burst}, 1'500, 25).burst, 1'000'000U) << "100 ms";
    EXPECT_FALSE(means_choose(burst - 1));
  }
  EXPECT_EQ(plan_tbf({8'000'000'000, 4'294'967'294}, 1'500, 25).burst, 536'870'911U) << "as it was asked for";
}

// Nothing wraps.
TEST(BandwidthPlan, TheQueueIsNeverLongerThanItMayBe) {
  PARITY("T-U31 U20");
  for (uint64_t rate = 8; rate < 9'000'000'000'000'000'000U / 10; rate *= 10) {
    for (const uint64_t burst : {uint64_t{1}, uint64_t{1'000'000}, uint64_t{4'294'967'295}, uint64_t{34'359'738'359}}) {
      const net::TbfSpec spec = plan_tbf({rate, burst}, 1'500, 25);
      EXPECT_EQ(spec.rate, rate / 8);
      EXPECT_GE(spec.limit, 1'518U);
      EXPECT_GE(spec.burst, 1'518U);
      EXPECT_LE(spec.limit - 1'518, rate / 8 / 40 + 1) << rate;
    }
  }
}

net::Tbf as_told(const net::TbfSpec& spec) {
  return {spec.rate, static_cast<uint32_t>(net::ticks_of(spec.rate, spec.burst)), spec.limit};
}

TEST(BandwidthPlan, TheKernelsRoundingIsNoDifference) {
  PARITY("T-U38");
  const net::TbfSpec spec = plan_tbf({8'000'000, 800'000}, 1'500, 25);
  for (const int off : {-2, 0, 2}) {
    net::Tbf told = as_told(spec);
    told.buffer += static_cast<uint32_t>(off);
    EXPECT_TRUE(is_as_planned(told, spec)) << off;
  }
  for (const auto change : {&net::Tbf::buffer, &net::Tbf::limit}) {
    net::Tbf told = as_told(spec);
    told.*change += 20;
    EXPECT_FALSE(is_as_planned(told, spec));
  }
}

TEST(BandwidthPlan, TheReferencesNumbersAreKnown) {
  PARITY("T-U24 U19");
  EXPECT_TRUE(is_of_reference({1'000'000, 1'562'500, 125'000}, {8'000'000, 800'000}));
  EXPECT_FALSE(is_of_reference({1'000'000, 1'562'500, 26'518}, {8'000'000, 800'000}));
  // CRI-O's burst at 1 Mbit/s: what waits may be 3123 bytes long.
  const net::Tbf wrapped = {125'000, 0, 3'123};
  net::Tbf any = wrapped;
  any.buffer = static_cast<uint32_t>(
      static_cast<uint64_t>(static_cast<uint32_t>(static_cast<uint64_t>(4'294'967'294.0 * 1e6 / 125'000)) * 15.625));
  EXPECT_TRUE(is_of_reference(any, {1'000'000, 34'359'738'359}));
}

TEST(BandwidthNames, TheReferencesComesFirst) {
  PARITY("T-U25 U24");
  const Owner owner = {"n", {"c1", "eth0"}};
  const std::vector<std::string> names = ifb_names(owner);
  ASSERT_EQ(names.size(), 4U);
  EXPECT_EQ(names[0], "bwp9b00b9b7c279");
  EXPECT_EQ(ifb_names({"n", {"c1", "eth1"}})[0], names[0]);
  EXPECT_NE(ifb_names({"n", {"c1", "eth1"}})[1], names[1]);
  for (const std::string& name : names) EXPECT_LE(name.size(), 15U);
}

TEST(BandwidthNames, AnIfbIsWhoseAliasItHas) {
  PARITY("U31 U32");
  const Owner owner = {"n", {"c1", "eth0"}};
  net::Link link;
  link.kind = "ifb";
  link.name = "bwp9b00b9b7c279";
  EXPECT_TRUE(may_be_of(link, owner));
  EXPECT_FALSE(is_of(link, owner));
  link.alias = "cnio n/c1/eth1";
  EXPECT_FALSE(may_be_of(link, owner) || is_of(link, owner));
  link.alias = "cnio n/c1/eth0";
  EXPECT_TRUE(is_of(link, owner));
  link.kind = "veth";
  EXPECT_FALSE(may_be_of(link, owner) || is_of(link, owner));
}

}  // namespace
}  // namespace cnio::bandwidth
