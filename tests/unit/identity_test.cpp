// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/identity.hpp"

#include <array>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/host.hpp"

namespace cnio::attachment {
namespace {

using ::testing::MatchesRegex;
using ::testing::StartsWith;

std::string name(const std::string& network, const std::string& container, const std::string& ifname,
                 unsigned attempt = 0) {
  return host_end_name(network, {container, ifname}, "veth", attempt);
}

TEST(HostEndName, IsVethAndEightHexDigits) { EXPECT_THAT(name("n", "c1", "eth0"), MatchesRegex("veth[0-9a-f]{8}")); }

std::string alias(const std::string& network, const std::string& container, const std::string& ifname) {
  return host_end_alias(network, {container, ifname});
}

// DEL finds the link again by it, in a later process.
TEST(HostEndName, FollowsFromTheAttachment) { EXPECT_EQ(name("n", "c1", "eth0"), name("n", "c1", "eth0")); }

// "a" + "bc" and "ab" + "c" are different attachments.
TEST(HostEndName, DiffersForEachAttachmentAndAttempt) {
  std::set<std::string> names;
  size_t count = 0;
  using Strings = std::array<const char*, 3>;
  for (const auto& [network, container, ifname] :
       {Strings{"n", "c1", "eth0"}, Strings{"n", "c1", "eth1"}, Strings{"n", "c2", "eth0"}, Strings{"m", "c1", "eth0"},
        Strings{"nc", "1", "eth0"}, Strings{"n", "c1e", "th0"}}) {
    for (unsigned attempt = 0; attempt < 10; ++attempt, ++count)
      names.insert(name(network, container, ifname, attempt));
  }
  EXPECT_EQ(names.size(), count);
}

TEST(HostEndAlias, SaysWhoseItIs) { EXPECT_EQ(alias("n", "c1", "eth0"), "cnio n/c1/eth0"); }

TEST(HostEndAlias, FitsTheKernelsLimit) {
  EXPECT_EQ(alias("n", std::string(242, 'c'), "eth0").size(), 254U);
  EXPECT_EQ(alias("n", std::string(300, 'c'), "eth0").size(), 255U);
  // One that fills it would look like one that an earlier version had to cut.
  EXPECT_EQ(alias("n", std::string(243, 'c'), "eth0").size(), 255U);
  EXPECT_EQ(alias("n", std::string(243, 'c'), "eth0").at(238), '#');
}

TEST(HostEndAlias, OfTwoLongOnesThatBeginAlikeDiffer) {
  FAULT("B5 links that GC must find");
  const std::string container(300, 'c');
  EXPECT_NE(alias("n", container, "eth0"), alias("n", container, "eth1"));
  EXPECT_THAT(alias("n", container, "eth0"), StartsWith("cnio n/ccc"));
}

TEST(HostEndAlias, TellsTheNetworkToWhoKnowsTheRest) {
  EXPECT_EQ(network_in_alias("cnio n/c1/eth0", {"c1", "eth0"}), "n");
  EXPECT_EQ(network_in_alias("cnio n/c1/eth0", {"c1", "eth1"}), std::nullopt);
  EXPECT_EQ(network_in_alias("cnio n/c1/eth0", {"1", "eth0"}), std::nullopt);
  EXPECT_EQ(network_in_alias("cnio /c1/eth0", {"c1", "eth0"}), std::nullopt);
  EXPECT_EQ(network_in_alias("of n/c1/eth0", {"c1", "eth0"}), std::nullopt);
}

TEST(HostEndAlias, SaysWhoseItIsUnlessItWasCut) {
  const firewall::RuleOwner owner = {"n", {"c1", "eth0"}};
  EXPECT_EQ(owner_in_alias(alias("n", "c1", "eth0")), owner);
  for (const std::string& text :
       {std::string(), std::string("n/c1/eth0"), std::string("cnio "), std::string("cnio c1/eth0"),
        std::string("cnio /c1/eth0"), alias(std::string(300, 'n'), "c1", "eth0")}) {
    EXPECT_EQ(owner_in_alias(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace cnio::attachment
