// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What is kept of calls that fail.
#include "cnio/protocol/failures.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnio/protocol/pod.hpp"

#include "cnioctl/world/failures.hpp"

namespace cnio::protocol {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

Failure failure(const std::string& msg = "no free address", const std::string& verb = "ADD") {
  Failure out{verb, "bridge", 102, 1'000'000, 12};
  out.network = "mynet";
  out.attachment = {"c1", "eth0"};
  out.pod = "default/web";
  out.msg = msg;
  out.details = "widen it";
  return out;
}

TEST(PodName, IsWhatKubernetesPasses) {
  EXPECT_EQ(pod_name("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-7f9c;K8S_POD_UID=1"),
            "default/web-7f9c");
  EXPECT_EQ(pod_name("K8S_POD_NAMESPACE=a;K8S_POD_NAMESPACE=b;K8S_POD_NAME=web"), "b/web") << "the last counts";
}

TEST(PodName, IsNoneOfWhatIsNone) {
  for (const std::string& args :
       {std::string(), std::string("K8S_POD_NAME=web"), std::string("K8S_POD_NAMESPACE=default"), std::string(";;=;"),
        std::string("K8S_POD_NAMESPACE=default;K8S_POD_NAME=web\x1b[2J"),
        std::string("K8S_POD_NAMESPACE=a/b;K8S_POD_NAME=c"), std::string("K8S_POD_NAMESPACE=d;K8S_POD_NAME=A"),
        "K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + std::string(254, 'a'),
        "K8S_POD_NAMESPACE=" + std::string(64, 'a') + ";K8S_POD_NAME=web"}) {
    EXPECT_EQ(pod_name(args), "") << args;
  }
}

TEST(FailureLine, IsReadBackAsItWas) {
  const Failure one = failure("a \"quoted\" \xff");
  const auto log = cnioctl::parse_failures("\n" + failure_line(one) + "\n{torn\n\n" + failure_line(failure()));
  ASSERT_THAT(log.failures, SizeIs(2));
  const Failure& read = log.failures.front();
  EXPECT_EQ(read.msg, "a \"quoted\" \xef\xbf\xbd");
  EXPECT_EQ(read.pod, one.pod);
  EXPECT_EQ(read.attachment, one.attachment);
  EXPECT_EQ(read.time, one.time);
  EXPECT_EQ(read.took_ms, 12);
  EXPECT_EQ(read.code, 102U);
  EXPECT_EQ(log.totals.at({"ADD", "bridge", 102U}), 2U);
}

TEST(FailureLine, HasNothingOfCniArgsNorOfTheConfiguration) {
  const std::string args = failure_line(failure("invalid environment: CNI_ARGS \"TOKEN=secret\": no pair"));
  EXPECT_THAT(args, AllOf(HasSubstr("CNI_ARGS ..."), Not(HasSubstr("secret"))));
  const std::string json = failure_line(failure("parse error at line 1, column 9: last read: '\"secret'"));
  EXPECT_THAT(json, AllOf(HasSubstr("column 9"), Not(HasSubstr("secret"))));
}

TEST(FailureLine, IsBounded) {
  Failure large = failure(std::string(1 << 20, 'x'));
  large.details = large.network = large.attachment.container_id = large.attachment.ifname = large.msg;
  EXPECT_LT(failure_line(large).size(), 4096U);
}

std::string lines(const std::string& verb, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += "\n" + failure_line(failure("failure " + std::to_string(i), verb));
  return out;
}

TEST(NewerFailures, LeavesNoneUncounted) {
  std::string all = lines("ADD", 1500);
  for (int round = 0; round < 3; ++round) {
    const std::string kept = newer_failures(all);
    EXPECT_LE(kept.size(), kMostFailures / 2 + 200);
    const auto log = cnioctl::parse_failures(kept);
    EXPECT_EQ(log.totals.at({"ADD", "bridge", 102U}), 1500U) << round;
    EXPECT_EQ(log.failures.back().msg, "failure 1499");
    all = kept;
  }
}

TEST(NewerFailures, StatusDoesNotDriveTheOthersOut) {
  const auto log = cnioctl::parse_failures(newer_failures(lines("ADD", 3) + lines("STATUS", 2000)));
  EXPECT_EQ(log.failures.front().verb, "ADD");
  EXPECT_EQ(log.totals.at({"STATUS", "bridge", 102U}), 2000U);
  EXPECT_EQ(log.totals.at({"ADD", "bridge", 102U}), 3U);
}

TEST(NewerFailures, WhatIsNoneOfItGoes) {
  EXPECT_THAT(newer_failures("\n\n{torn\n{\"verb\":\"ADD\"}\n\x1b[2J"), IsEmpty());
}

}  // namespace
}  // namespace cnio::protocol
