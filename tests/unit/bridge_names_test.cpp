// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridge/steps.hpp"

namespace cnio::bridge {
namespace {

using ::testing::EndsWith;
using ::testing::MatchesRegex;

protocol::Request request(const std::string& network, const std::string& container, const std::string& ifname) {
  protocol::Request out;
  out.network = network;
  out.attachment = {container, ifname};
  return out;
}

TEST(HostEndName, IsVethAndEightHexDigits) {
  EXPECT_THAT(host_end_name(request("n", "c1", "eth0"), "veth"), MatchesRegex("veth[0-9a-f]{8}"));
}

std::string alias(const std::string& network, const std::string& container, const std::string& ifname) {
  return host_end_alias(network, {container, ifname});
}

// DEL finds the link again by it, in a later process.
TEST(HostEndName, FollowsFromTheAttachment) {
  EXPECT_EQ(host_end_name(request("n", "c1", "eth0"), "veth"), host_end_name(request("n", "c1", "eth0"), "veth"));
}

// "a" + "bc" and "ab" + "c" are different attachments.
TEST(HostEndName, DiffersForEachAttachmentAndAttempt) {
  std::set<std::string> names;
  size_t count = 0;
  for (const auto& each : {request("n", "c1", "eth0"), request("n", "c1", "eth1"), request("n", "c2", "eth0"),
                           request("m", "c1", "eth0"), request("nc", "1", "eth0"), request("n", "c1e", "th0")}) {
    for (unsigned attempt = 0; attempt < 10; ++attempt, ++count) names.insert(host_end_name(each, "veth", attempt));
  }
  EXPECT_EQ(names.size(), count);
}

TEST(HostEndAlias, SaysWhoseItIs) { EXPECT_EQ(alias("n", "c1", "eth0"), "cnio n/c1/eth0"); }

TEST(HostEndAlias, FitsTheKernelsLimit) {
  EXPECT_EQ(alias("n", std::string(242, 'c'), "eth0").size(), 254U);
  EXPECT_EQ(alias("n", std::string(300, 'c'), "eth0").size(), 255U);
  EXPECT_THAT(alias("n", std::string(300, 'c'), "eth0"), EndsWith("cc"));
}

}  // namespace
}  // namespace cnio::bridge
