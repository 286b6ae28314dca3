// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What is believed of a runtime: for gc and for the verbs that only look.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/world/witness.hpp"
#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio::cnioctl {
namespace {

FileFacts old(const std::string&) { return {"stamp", false}; }
FileFacts young(const std::string&) { return {"stamp", true}; }

Attached attached(Life life) {
  Attached out{{"mynet", {"c1", "eth0"}}};
  out.addresses = {{IpAddr::parse("10.1.0.2").value(), "f", std::nullopt}};
  out.verdict = {life, "as the node shows"};
  return out;
}
Life judged(Life life, const Witness& witness, const LookAtFile& look = old) {
  return judge(attached(life), witness, look).life;
}

TEST(Witness, WhomItKnowsLives) {
  for (const Life life : {Life::kLive, Life::kGone, Life::kUnknown, Life::kRebooted}) {
    EXPECT_EQ(judged(life, Witness({"c1"})), Life::kLive);
  }
  EXPECT_EQ(judge(attached(Life::kUnknown), Witness({"c1"}), old).reason, "a runtime knows it");
}

TEST(Witness, WhomItDoesNotKnowIsGoneUnlessSomethingElseTells) {
  EXPECT_EQ(judged(Life::kUnknown, Witness({"c2"})), Life::kGone);
  EXPECT_EQ(judged(Life::kUnknown, Witness({"c2"}), young), Life::kUnknown);
  EXPECT_EQ(judged(Life::kLive, Witness({"c2"})), Life::kLive);
  EXPECT_EQ(judge(attached(Life::kLive), Witness({"c2"}), old).reason, "as the node shows");
}

TEST(Witness, WithoutOneNothingIsSaidOfTheUnknown) {
  EXPECT_EQ(judged(Life::kUnknown, std::nullopt), Life::kUnknown);
  EXPECT_EQ(judged(Life::kGone, std::nullopt), Life::kGone);
}

TEST(Witness, IsAFileOfContainers) {
  const test::TempFolder folder;
  folder.write("valid", "c1\n  c2\r\nc3");
  const auto called = call_witness({.runtime = "none", .valid_file = folder.at("valid")}, protocol::Environment({}));
  ASSERT_OK(called);
  EXPECT_EQ(called.value(), Witness({"c1", "c2", "c3"}));
  EXPECT_EQ(call_witness({}, protocol::Environment({})).value(), std::nullopt);
  EXPECT_ERROR(call_witness({.runtime = "none", .valid_file = folder.at("none")}, protocol::Environment({})),
               Code::kIo);
}

TEST(Witness, BothAreBelievedIfBothAreGiven) {
  const test::TempFolder folder;
  folder.write("valid", "c1");
  folder.write("crictl", "#!/bin/sh\necho c2\n");
  std::filesystem::permissions(folder.at("crictl"), std::filesystem::perms::owner_all);
  const auto called = call_witness({.runtime = "auto", .valid_file = folder.at("valid")},
                                   protocol::Environment({"PATH=" + folder.path()}));
  ASSERT_OK(called);
  EXPECT_EQ(called.value(), Witness({"c1", "c2"}));
}

}  // namespace
}  // namespace cnio::cnioctl
