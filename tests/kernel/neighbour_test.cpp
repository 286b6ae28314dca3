// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/neighbour.hpp"

#include "net_fixture.hpp"

namespace cnio::test {
namespace {

constexpr char kOld[] = "02:00:00:00:00:01";
constexpr char kNew[] = "02:00:00:00:00:02";

/// v0 has neighbours of either family.
class NeighbourTest : public NetTest, public ::testing::WithParamInterface<const char*> {
 protected:
  NeighbourTest() { add_veth("v0", "v1"); }

  static IpAddr address() { return *IpAddr::parse(GetParam()); }
  static void know(const std::string& words) { ip("neigh replace " + std::string(GetParam()) + " dev v0 " + words); }
  /// `ip neigh` of the address: a list of one entry, or empty.
  static Json entry() { return ip_json({"neigh", "show", GetParam(), "dev", "v0", "nud", "all"}); }
};

INSTANTIATE_TEST_SUITE_P(Of, NeighbourTest, ::testing::Values("10.1.0.2", "fd01::2"),
                         [](const auto& family) { return family.index == 0 ? "Ipv4" : "Ipv6"; });

TEST_P(NeighbourTest, IsFoundWithItsMac) {
  const auto none = net::find_neighbour(route(), link("v0"), address());
  ASSERT_OK(none);
  EXPECT_FALSE(none.value());
  know("lladdr " + std::string(kOld) + " nud reachable");
  const auto found = net::find_neighbour(route(), link("v0"), address());
  ASSERT_OK(found);
  ASSERT_TRUE(found.value());
  EXPECT_EQ(found.value()->mac, MacAddr::parse(kOld));
  EXPECT_FALSE(net::find_neighbour(route(), link("v1"), address()).value()) << "each link has its own";
}

TEST_P(NeighbourTest, ThatWasNotFoundHasNoMac) {
  know("lladdr " + std::string(kOld) + " nud failed");
  const auto found = net::find_neighbour(route(), link("v0"), address());
  ASSERT_OK(found);
  ASSERT_TRUE(found.value());
  EXPECT_FALSE(found.value()->mac);
}

TEST_P(NeighbourTest, IsReplacedWhateverItWas) {
  for (const char* state : {"reachable", "stale", "permanent", "failed"}) {
    know("lladdr " + std::string(kOld) + " nud " + state);
    const auto replaced = net::replace_neighbour(route(), link("v0"), address(), *MacAddr::parse(kNew));
    ASSERT_OK(replaced);
    EXPECT_TRUE(replaced.value());
    EXPECT_EQ(entry().at(0).value("lladdr", ""), kNew) << state;
    EXPECT_EQ(entry().at(0).at("state"), Json::array({"STALE"})) << state;
  }
}

TEST_P(NeighbourTest, NobodyKnowsIsNotMade) {
  const auto replaced = net::replace_neighbour(route(), link("v0"), address(), *MacAddr::parse(kNew));
  ASSERT_OK(replaced);
  EXPECT_FALSE(replaced.value());
  EXPECT_TRUE(entry().empty());
}

TEST_P(NeighbourTest, IsRemovedAndMayBeGone) {
  know("lladdr " + std::string(kOld) + " nud permanent");
  EXPECT_OK(net::remove_neighbour(route(), link("v0"), address()));
  EXPECT_TRUE(entry().empty()) << entry().dump();
  EXPECT_OK(net::remove_neighbour(route(), link("v0"), address()));
  const net::Link gone = link("v0");
  ip("link del v0");
  EXPECT_OK(net::remove_neighbour(route(), gone, address()));
}

}  // namespace
}  // namespace cnio::test
