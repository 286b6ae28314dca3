// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/range_set.hpp"

#include <set>

#include <gtest/gtest.h>

namespace cnio::ipam {
namespace {

IpAddr ip(const char* text) { return IpAddr::parse(text).value(); }
Cidr net(const char* text) { return Cidr::parse(text).value(); }
Range part(const char* subnet, const char* first, const char* last) {
  Range range = default_range(net(subnet));
  range.first = ip(first);
  range.last = ip(last);
  return range;
}

// Gives addresses in the round robin of `set`, as a store would record them.
class Giver {
 public:
  explicit Giver(RangeSet set) : set_(std::move(set)) {}

  // The next address as text, "" if there is none; counts the addresses looked at.
  std::string give() {
    looks = 0;
    const auto addr = set_.next_free(last_, [&](const IpAddr& candidate) {
      ++looks;
      return taken.contains(candidate);
    });
    if (!addr) return "";
    taken.insert(*addr);
    last_ = addr;
    return addr->to_string();
  }

  std::set<IpAddr> taken;
  size_t looks = 0;

 private:
  RangeSet set_;
  std::optional<IpAddr> last_;
};

TEST(RangeSet, CountsWhatItGives) {
  const auto size = [](const std::vector<Range>& ranges, const std::vector<Cidr>& excluded = {}) {
    return RangeSet(ranges).excluding(excluded).size();
  };
  EXPECT_EQ(size({default_range(net("10.1.0.0/24"))}), 253U);
  EXPECT_EQ(size({default_range(net("10.1.0.0/30"))}), 1U);
  EXPECT_EQ(size({part("10.1.0.0/24", "10.1.0.5", "10.1.0.9")}), 5U);
  EXPECT_EQ(size({part("10.1.0.0/24", "10.1.0.0", "10.1.0.255")}), 253U);
  EXPECT_EQ(size({default_range(net("10.1.0.0/24"))}, {net("10.1.0.0/25")}), 127U);
  EXPECT_EQ(size({default_range(net("10.1.0.0/24"))}, {net("10.0.0.0/8")}), 0U);
  EXPECT_EQ(size({part("10.1.0.0/16", "10.1.0.255", "10.1.1.0"), part("10.1.0.0/16", "10.1.9.1", "10.1.9.2")}), 4U);
  EXPECT_EQ(size({part("fd01::/64", "fd01::fffe", "fd01::1:1")}), 4U);
  EXPECT_EQ(size({part("fd01::/48", "fd01::ffff:ffff:ffff:ffff", "fd01::1:0:0:0:0")}), 2U);
  EXPECT_EQ(size({part("fd01::/64", "fd01::2", "fd01::ffff:ffff:ffff:ffff")}), UINT64_MAX - 1);
  EXPECT_EQ(size({default_range(net("fd01::/48"))}), UINT64_MAX);
  EXPECT_EQ(size({default_range(net("fd01::/64")), default_range(net("fd02::/64"))}), UINT64_MAX);
}

TEST(Range, DefaultsLeaveOutTheNetworkAndTheIpv4BroadcastAddress) {
  const Range v4 = default_range(net("10.1.0.0/24"));
  EXPECT_EQ(v4.first, ip("10.1.0.1"));
  EXPECT_EQ(v4.last, ip("10.1.0.254"));
  EXPECT_EQ(v4.gateway, ip("10.1.0.1"));
  const Range v6 = default_range(net("fd01::/120"));
  EXPECT_EQ(v6.first, ip("fd01::1"));
  EXPECT_EQ(v6.last, ip("fd01::ff"));
  EXPECT_EQ(v6.gateway, ip("fd01::1"));
}

TEST(Range, ContainsItsBoundsAndNothingBeyond) {
  const Range range = part("10.1.0.0/24", "10.1.0.5", "10.1.0.9");
  EXPECT_TRUE(range.contains(ip("10.1.0.5")));
  EXPECT_TRUE(range.contains(ip("10.1.0.9")));
  EXPECT_FALSE(range.contains(ip("10.1.0.4")));
  EXPECT_FALSE(range.contains(ip("10.1.0.10")));
}

TEST(Range, OfIpv4ContainsNoIpv6Address) {
  EXPECT_FALSE(default_range(net("0.0.0.0/0")).contains(ip("::1")));
  EXPECT_FALSE(default_range(net("::/0")).contains(ip("1.2.3.4")));
}

TEST(Range, OverlapsByAddressesAndNotBySubnet) {
  const Range low = part("10.1.0.0/16", "10.1.0.1", "10.1.0.9");
  EXPECT_FALSE(low.overlaps(part("10.1.0.0/24", "10.1.0.10", "10.1.0.20")));
  EXPECT_TRUE(low.overlaps(part("10.1.0.0/24", "10.1.0.9", "10.1.0.20")));
  EXPECT_TRUE(low.overlaps(part("10.1.0.0/24", "10.1.0.5", "10.1.0.5")));
  EXPECT_TRUE(part("10.1.0.0/24", "10.1.0.5", "10.1.0.5").overlaps(low));
  EXPECT_FALSE(default_range(net("0.0.0.0/0")).overlaps(default_range(net("::/0"))));
}

TEST(Range, IsShownAsItsSubnetIfItIsAllOfIt) {
  EXPECT_EQ(default_range(net("10.1.0.0/24")).to_string(), "10.1.0.0/24");
  EXPECT_EQ(part("10.1.0.0/24", "10.1.0.0", "10.1.0.255").to_string(), "10.1.0.0/24");
  EXPECT_EQ(part("10.1.0.0/24", "10.1.0.2", "10.1.0.254").to_string(), "10.1.0.2-10.1.0.254");
  EXPECT_EQ(part("10.1.0.0/24", "10.1.0.2", "10.1.0.2").to_string(), "10.1.0.2");
}

TEST(RangeSet, GivesEveryUsableAddressOnceAndThenNone) {
  Giver giver(RangeSet({default_range(net("10.1.0.0/29"))}));
  for (const char* expected : {"10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6", ""}) {
    EXPECT_EQ(giver.give(), expected);
  }
}

TEST(RangeSet, GivesTheLastIpv6Address) {
  Giver giver(RangeSet({default_range(net("fd01::/126"))}));
  for (const char* expected : {"fd01::2", "fd01::3", ""}) EXPECT_EQ(giver.give(), expected);
}

TEST(RangeSet, ReusesAFreedAddressOnlyWhenItsTurnComes) {
  Giver giver(RangeSet({default_range(net("10.1.0.0/29"))}));
  for (int i = 0; i < 3; ++i) giver.give();
  giver.taken.erase(ip("10.1.0.3"));
  for (const char* expected : {"10.1.0.5", "10.1.0.6", "10.1.0.3", ""}) EXPECT_EQ(giver.give(), expected);
}

TEST(RangeSet, GivesTheLastGivenAddressAgainIfNoOtherIsFree) {
  const RangeSet set({default_range(net("10.1.0.0/29"))});
  const auto next = set.next_free(ip("10.1.0.4"), [](const IpAddr& addr) { return addr != ip("10.1.0.4"); });
  EXPECT_EQ(next, ip("10.1.0.4"));
}

TEST(RangeSet, GoesThroughItsRangesInOrderAndAround) {
  const RangeSet set({part("10.1.0.0/24", "10.1.0.5", "10.1.0.6"), part("10.2.0.0/24", "10.2.0.9", "10.2.0.10")});
  const auto none = [](const IpAddr&) { return false; };
  EXPECT_EQ(set.next_free({}, none), ip("10.1.0.5"));
  EXPECT_EQ(set.next_free(ip("10.1.0.5"), none), ip("10.1.0.6"));
  EXPECT_EQ(set.next_free(ip("10.1.0.6"), none), ip("10.2.0.9"));
  EXPECT_EQ(set.next_free(ip("10.2.0.10"), none), ip("10.1.0.5"));
}

TEST(RangeSet, StartsAtTheBeginningIfTheLastGivenIsNotItsOwn) {
  const RangeSet set({part("10.1.0.0/24", "10.1.0.5", "10.1.0.9")});
  for (const char* last : {"10.9.0.1", "10.1.0.4", "10.1.0.10", "fd01::5"}) {
    EXPECT_EQ(set.next_free(ip(last), [](const IpAddr&) { return false; }), ip("10.1.0.5")) << last;
  }
}

TEST(RangeSet, NeverGivesGatewayNetworkOrBroadcastAddress) {
  Range all = part("10.1.0.0/29", "10.1.0.0", "10.1.0.7");
  all.gateway = ip("10.1.0.4");
  Giver giver(RangeSet({all}));
  for (const char* expected : {"10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.5", "10.1.0.6", ""}) {
    EXPECT_EQ(giver.give(), expected);
  }
  Giver v6(RangeSet({part("fd01::/126", "fd01::", "fd01::3")}));
  for (const char* expected : {"fd01::2", "fd01::3", ""}) EXPECT_EQ(v6.give(), expected);
}

TEST(RangeSet, WithholdsTheGatewayOfOneRangeFromAnother) {
  Range high = part("10.1.0.0/24", "10.1.0.9", "10.1.0.9");
  const Range low = part("10.1.0.0/24", "10.1.0.1", "10.1.0.2");
  high.gateway = ip("10.1.0.2");
  const RangeSet set({low, high});
  EXPECT_STREQ(set.why_withheld(ip("10.1.0.2")), "is the gateway");
  EXPECT_EQ(set.next_free({}, [](const IpAddr&) { return false; }), ip("10.1.0.9"));
}

TEST(RangeSet, WorksAtBothEndsOfTheAddressSpace) {
  Giver low(RangeSet({default_range(net("0.0.0.0/30"))}));
  EXPECT_EQ(low.give(), "0.0.0.2");
  EXPECT_EQ(low.give(), "");
  Giver high(RangeSet({default_range(net("255.255.255.252/30"))}));
  EXPECT_EQ(high.give(), "255.255.255.254");
  EXPECT_EQ(high.give(), "");
  Giver high6(RangeSet({default_range(net("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126"))}));
  EXPECT_EQ(high6.give(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
  EXPECT_EQ(high6.give(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_EQ(high6.give(), "");
}

TEST(RangeSet, LooksAtOneAddressMoreThanAreTakenHoweverLargeTheRange) {
  Giver giver(RangeSet({default_range(net("fd01::/64"))}));
  for (size_t given = 0; given < 100; ++given) {
    ASSERT_NE(giver.give(), "");
    ASSERT_LE(giver.looks, given + 1);
  }
  Giver everything(RangeSet({default_range(net("::/0"))}));
  EXPECT_EQ(everything.give(), "::2");
}

TEST(RangeSet, NeverGivesWhatIsExcluded) {
  const RangeSet set({default_range(net("10.1.0.0/28"))});
  Giver giver(set.excluding({net("10.1.0.2/31"), net("10.1.0.6/32"), net("10.1.0.14/32"), net("10.1.0.8/30")}));
  for (const char* expected : {"10.1.0.4", "10.1.0.5", "10.1.0.7", "10.1.0.12", "10.1.0.13", ""}) {
    EXPECT_EQ(giver.give(), expected);
  }
}

TEST(RangeSet, ExcludedNetworksMayOverlapAndRepeat) {
  const RangeSet set({default_range(net("10.1.0.0/28"))});
  Giver giver(set.excluding({net("10.1.0.8/32"), net("10.1.0.0/29"), net("10.1.0.2/32"), net("10.1.0.0/29"),
                             net("10.1.0.12/30")})
                  .excluding({net("10.1.0.10/32")}));
  for (const char* expected : {"10.1.0.9", "10.1.0.11", ""}) EXPECT_EQ(giver.give(), expected);
}

TEST(RangeSet, ExcludedNetworksOutsideOfItMeanNothing) {
  const RangeSet set = RangeSet({default_range(net("10.1.0.0/24"))})
                           .excluding({net("10.2.0.0/16"), net("fd01::/64"), net("10.1.0.0/32"), net("::/0")});
  EXPECT_FALSE(set.has_excluded());
  EXPECT_EQ(set.next_free({}, [](const IpAddr&) { return false; }), ip("10.1.0.2"));
  EXPECT_TRUE(set.excluding({net("10.0.0.0/8")}).has_excluded());
}

TEST(RangeSet, AnExcludedBlockIsSkippedWithoutASearch) {
  // Half of each range: a walk through it would not end.
  Giver v4(RangeSet({default_range(net("10.0.0.0/8"))}).excluding({net("10.0.0.0/9")}));
  EXPECT_EQ(v4.give(), "10.128.0.0");
  EXPECT_EQ(v4.looks, 1U);
  Giver v6(RangeSet({default_range(net("fd01::/64"))}).excluding({net("fd01::/65")}));
  EXPECT_EQ(v6.give(), "fd01::8000:0:0:0");
  EXPECT_EQ(v6.looks, 1U);
  Giver none(RangeSet({default_range(net("::/0"))}).excluding({net("::/1"), net("8000::/1")}));
  EXPECT_EQ(none.give(), "");
  EXPECT_EQ(none.looks, 0U);
}

TEST(RangeSet, RoundRobinGoesAroundExcludedBlocks) {
  const RangeSet set =
      RangeSet({part("10.1.0.0/24", "10.1.0.5", "10.1.0.9"), part("10.2.0.0/24", "10.2.0.5", "10.2.0.9")})
          .excluding({net("10.1.0.8/29"), net("10.2.0.4/31")});
  const auto none = [](const IpAddr&) { return false; };
  EXPECT_EQ(set.next_free(ip("10.1.0.7"), none), ip("10.2.0.6")) << "to the next range, whose start is excluded";
  EXPECT_EQ(set.next_free(ip("10.1.0.8"), none), ip("10.2.0.6")) << "the last given has been excluded since";
  EXPECT_EQ(set.next_free(ip("10.2.0.9"), none), ip("10.1.0.5"));
  EXPECT_EQ(set.next_free(ip("10.2.0.5"), [](const IpAddr& addr) { return addr > ip("10.1.0.6"); }), ip("10.1.0.5"));
}

TEST(RangeSet, AnExcludedAddressIsStillOneOfTheSet) {
  const RangeSet set = RangeSet({default_range(net("10.1.0.0/24"))}).excluding({net("10.1.0.8/29")});
  EXPECT_NE(set.find(ip("10.1.0.9")), nullptr);
  EXPECT_TRUE(set.excludes(ip("10.1.0.15")));
  EXPECT_FALSE(set.excludes(ip("10.1.0.16")));
  EXPECT_FALSE(set.excludes(ip("10.1.0.7")));
  EXPECT_FALSE(set.gives(ip("10.1.0.8")));
  EXPECT_STREQ(set.why_withheld(ip("10.1.0.8")), "is excluded");
}

TEST(RangeSet, FindsTheRangeOfAnAddress) {
  const RangeSet set({part("10.1.0.0/24", "10.1.0.5", "10.1.0.6"), part("10.2.0.0/24", "10.2.0.9", "10.2.0.10")});
  ASSERT_NE(set.find(ip("10.2.0.10")), nullptr);
  EXPECT_EQ(set.find(ip("10.2.0.10"))->subnet, net("10.2.0.0/24"));
  EXPECT_EQ(set.find(ip("10.2.0.11")), nullptr);
  EXPECT_EQ(set.to_string(), "10.1.0.5-10.1.0.6, 10.2.0.9-10.2.0.10");
}

TEST(RangeSet, GivesWhatLiesInItAndIsNotWithheld) {
  const RangeSet set({default_range(net("10.1.0.0/24"))});
  EXPECT_TRUE(set.gives(ip("10.1.0.2")));
  EXPECT_FALSE(set.gives(ip("10.1.0.1"))) << "the gateway";
  EXPECT_FALSE(set.gives(ip("10.1.0.255")));
  EXPECT_FALSE(set.gives(ip("10.2.0.2")));
}

}  // namespace
}  // namespace cnio::ipam
