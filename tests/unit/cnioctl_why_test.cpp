// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What `cnioctl why` says of calls that failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnioctl/metrics.hpp"
#include "cnioctl/why.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Failure;
using protocol::Json;
using ::testing::HasSubstr;
using ::testing::Not;

class Why : public ::testing::Test {
 protected:
  Why() {
    NetworkView network{"mynet"};
    network.sets.emplace_back(std::vector<ipam::Range>{ipam::default_range(*Cidr::parse("10.1.0.0/29"))});
    facts_.networks.push_back(network);
    add("c1", "default/web-1", Life::kLive);
    add("c2", "default/web-2", Life::kGone);
    facts_.pools = count_pools(facts_.world, facts_.networks);
  }

  void add(const std::string& id, const std::string& pod, Life life) {
    Attached out{{"mynet", {id, "eth0"}}};
    out.addresses.push_back({*IpAddr::parse("10.1.0." + id.substr(1)), "f", {}});
    out.pod = pod;
    out.verdict = {life, "as the test says"};
    facts_.world.attached.push_back(std::move(out));
  }
  Failure& fails(const std::string& id, const std::string& pod, const std::string& msg, int64_t time) {
    Failure out{"ADD", "bridge", 102, time, 12};
    out.network = "mynet";
    out.attachment = {id, "eth0"};
    out.pod = pod;
    out.msg = msg;
    facts_.failures.failures.push_back(std::move(out));
    return facts_.failures.failures.back();
  }

  Facts facts_;
};

TEST_F(Why, RepeatedOnesAreOne) {
  fails("aaaa1", "default/web-3", "no free address for aaaa1/eth0", 1'000'000);
  fails("aaaa2", "default/web-3", "no free address for aaaa2/eth0", 1'000'060);
  fails("bbbb1", "default/web-1", "no free address for bbbb1/eth0", 1'000'010);
  const Outcome said = why(facts_, "web-3", false);
  EXPECT_EQ(said.exit, Exit::kFound);
  EXPECT_EQ(said.out,
            "1970-01-12 13:47:40  ADD  mynet  default/web-3  code 102  12 ms  (2 times since 1970-01-12 13:46:40)\n"
            "  bridge: no free address for aaaa2/eth0\n"
            "  now: 10.1.0.0/29: 1 live, 1 gone, 3 free: cnioctl gc --dry-run\n"
            "  now: nothing of it is here\n");
}

TEST_F(Why, TheNewestIsTheLast) {
  fails("c1", "default/web-1", "one", 20);
  fails("c2", "default/web-2", "two", 10);
  const Json said = Json::parse(why(facts_, "", true).out).at("failures");
  EXPECT_EQ(said.at(0).at("msg"), "two");
  EXPECT_EQ(said.at(1).at("pod").at("name"), "web-1");
  EXPECT_EQ(said.at(1).at("now").back(), "it is live, with 10.1.0.1");
  EXPECT_EQ(said.at(0).at("now").back(), "what it had is gone: cnioctl gc --dry-run");
}

TEST_F(Why, WhatAnotherHasPassedOnIsNotSaidTwice) {
  fails("aaaa1", "", "no free address", 10).plugin = "host-local";
  fails("aaaa1", "", "IPAM: host-local: no free address", 10);
  const std::string text = why(facts_, "aaaa1", false).out;
  EXPECT_THAT(text, HasSubstr("bridge: IPAM: host-local: no free address"));
  EXPECT_THAT(text, Not(HasSubstr("  host-local: ")));
}

TEST_F(Why, NothingIsNoMistakeOfWhoIsKnown) {
  EXPECT_EQ(why(facts_, "", false).out, "no call that failed is kept\n");
  EXPECT_EQ(why(facts_, "default/web-1", false).exit, Exit::kWell);
  EXPECT_EQ(why(facts_, "mynet", false).exit, Exit::kWell);
  EXPECT_EQ(why(facts_, "default/nobody", false).exit, Exit::kNothing);
}

TEST_F(Why, NothingOfItDrivesATerminal) {
  Failure& hostile = fails("aaaa1", "", "a\x1b[2Jb", 10);
  hostile.details = hostile.network = "x\x9b";
  EXPECT_THAT(why(facts_, "", false).out, Not(::testing::ContainsRegex("[\x1b\x9b]")));
}

TEST_F(Why, MetricsCountThem) {
  facts_.failures.totals[{"ADD", "bridge", 102U}] = 7;
  EXPECT_THAT(metrics(facts_, "", false).out,
              HasSubstr("# TYPE cnio_failures_total counter\n"
                        "cnio_failures_total{verb=\"ADD\",plugin=\"bridge\",code=\"102\"} 7\n"));
}

}  // namespace
}  // namespace cnio::cnioctl
