// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/ip.hpp"

#include <algorithm>
#include <ostream>
#include <vector>

#include <gtest/gtest.h>

namespace cnio {

// How GoogleTest shows them.
void PrintTo(const IpAddr& addr, std::ostream* out) { *out << addr.to_string(); }
void PrintTo(const Cidr& cidr, std::ostream* out) { *out << cidr.to_string(); }

namespace {

IpAddr ip(std::string_view text) { return IpAddr::parse(text).value(); }
Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }

struct Spelling {
  std::string_view text;
  std::string_view canonical;
};

class IpSpelling : public ::testing::TestWithParam<Spelling> {};

TEST_P(IpSpelling, IsReadAndWrittenCanonically) {
  const auto parsed = IpAddr::parse(GetParam().text);
  ASSERT_TRUE(parsed) << GetParam().text;
  EXPECT_EQ(parsed->to_string(), GetParam().canonical);
  EXPECT_EQ(IpAddr::parse(parsed->to_string()), parsed);
}

INSTANTIATE_TEST_SUITE_P(Ipv4, IpSpelling,
                         ::testing::Values(Spelling{"0.0.0.0", "0.0.0.0"}, Spelling{"10.1.2.3", "10.1.2.3"},
                                           Spelling{"255.255.255.255", "255.255.255.255"},
                                           Spelling{"::ffff:10.1.2.3", "10.1.2.3"},
                                           Spelling{"::FFFF:a01:203", "10.1.2.3"},
                                           Spelling{"0:0:0:0:0:ffff:0:0", "0.0.0.0"}));

// RFC 5952, sections 4.1 to 4.3.
INSTANTIATE_TEST_SUITE_P(
    Ipv6, IpSpelling,
    ::testing::Values(Spelling{"::", "::"}, Spelling{"::1", "::1"}, Spelling{"1::", "1::"},
                      Spelling{"2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"},
                      Spelling{"2001:DB8:A:b:C:d:E:f", "2001:db8:a:b:c:d:e:f"},
                      // One group of zeros is not compressed.
                      Spelling{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
                      Spelling{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
                      Spelling{"0:1:1:1:1:1:1:1", "0:1:1:1:1:1:1:1"}, Spelling{"1:1:1:1:1:1:1:0", "1:1:1:1:1:1:1:0"},
                      // The longest run, the first of equals.
                      Spelling{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"}, Spelling{"1:0:0:0:2:0:0:3", "1::2:0:0:3"},
                      Spelling{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
                      Spelling{"0:0:1:1:1:1:0:0", "::1:1:1:1:0:0"}, Spelling{"1:1:1:1:1:1:0:0", "1:1:1:1:1:1::"},
                      Spelling{"0:0:1:0:0:0:1:1", "0:0:1::1:1"},
                      // Not IPv4 in disguise: only ::ffff:0:0/96 is.
                      Spelling{"::10.1.2.3", "::a01:203"}, Spelling{"64:ff9b::10.1.2.3", "64:ff9b::a01:203"},
                      Spelling{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
                               "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}));

TEST(IpAddr, RefusesWhatIsNoAddress) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      "10"sv,
                                      "10.1"sv,
                                      "10.1.2"sv,
                                      "10.1.2.3.4"sv,
                                      "10.1.2.256"sv,
                                      "10.1.2.-3"sv,
                                      "10.1.2.+3"sv,
                                      "010.1.2.3"sv,
                                      "10.1.2.03"sv,
                                      "10.1.2.00"sv,
                                      "0x0a.1.2.3"sv,
                                      " 10.1.2.3"sv,
                                      "10.1.2.3 "sv,
                                      "10.1.2.3\n"sv,
                                      "10.1.2.3\0"sv,
                                      "10.1.2.3\0x"sv,
                                      "10.1.2.3/24"sv,
                                      "10..2.3"sv,
                                      "10.1.2."sv,
                                      ".1.2.3"sv,
                                      "a.b.c.d"sv,
                                      "localhost"sv,
                                      ":"sv,
                                      ":::"sv,
                                      "1::2::3"sv,
                                      "1:2:3:4:5:6:7"sv,
                                      "1:2:3:4:5:6:7:8:9"sv,
                                      "12345::"sv,
                                      "g::"sv,
                                      "fe80::1%eth0"sv,
                                      "fe80::1%1"sv,
                                      "::1 "sv,
                                      " ::1"sv,
                                      "[::1]"sv,
                                      "::ffff:10.1.2.03"sv,
                                      "::ffff:10.1.2"sv,
                                      "::10.1.2.256"sv,
                                      "1:"sv,
                                      ":1"sv,
                                      "::1\0"sv}) {
    EXPECT_FALSE(IpAddr::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddr::parse(std::string(100'000, '1')));
}

TEST(IpAddr, KnowsItsFamilyAndBytes) {
  const IpAddr v4 = ip("10.1.2.3");
  EXPECT_TRUE(v4.is_v4());
  EXPECT_EQ(v4.size(), 4U);
  EXPECT_EQ(v4.bits(), 32U);
  EXPECT_EQ(std::vector<uint8_t>(v4.data(), v4.data() + 4), (std::vector<uint8_t>{10, 1, 2, 3}));
  EXPECT_EQ(IpAddr::from_v4(0x0a010203), v4);
  EXPECT_EQ(IpAddr::from_bytes(Family::kIpv4, v4.data()), v4);
  const IpAddr v6 = ip("fd00::1");
  EXPECT_EQ(v6.family(), Family::kIpv6);
  EXPECT_EQ(v6.size(), 16U);
  EXPECT_EQ(v6.bits(), 128U);
  EXPECT_EQ(IpAddr::from_bytes(Family::kIpv6, v6.data()), v6);
  EXPECT_EQ(family_name(Family::kIpv4), "IPv4");
  EXPECT_EQ(family_name(Family::kIpv6), "IPv6");
}

TEST(IpAddr, OrdersByFamilyThenNumerically) {
  std::vector<IpAddr> addrs = {ip("fd00::2"), ip("10.0.0.10"), ip("9.255.255.255"), ip("::1"), ip("10.0.0.9")};
  std::sort(addrs.begin(), addrs.end());
  EXPECT_EQ(addrs, (std::vector{ip("9.255.255.255"), ip("10.0.0.9"), ip("10.0.0.10"), ip("::1"), ip("fd00::2")}));
}

TEST(IpAddr, NextAndPreviousCarryAndWrap) {
  for (const auto& [before, after] :
       std::vector<std::pair<std::string_view, std::string_view>>{{"10.0.0.1", "10.0.0.2"},
                                                                  {"10.0.0.255", "10.0.1.0"},
                                                                  {"10.255.255.255", "11.0.0.0"},
                                                                  {"255.255.255.255", "0.0.0.0"},
                                                                  {"fd00::ff", "fd00::100"},
                                                                  {"fd00::ffff:ffff:ffff:ffff", "fd00:0:0:1::"},
                                                                  {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"}}) {
    EXPECT_EQ(ip(before).next(), ip(after));
    EXPECT_EQ(ip(after).previous(), ip(before));
  }
}

TEST(IpAddr, Kinds) {
  EXPECT_TRUE(ip("0.0.0.0").is_unspecified());
  EXPECT_TRUE(ip("::").is_unspecified());
  EXPECT_FALSE(ip("::1").is_unspecified());
  EXPECT_TRUE(ip("224.0.0.0").is_multicast());
  EXPECT_TRUE(ip("239.255.255.255").is_multicast());
  EXPECT_TRUE(ip("ff02::1").is_multicast());
  EXPECT_FALSE(ip("223.255.255.255").is_multicast());
  EXPECT_FALSE(ip("240.0.0.0").is_multicast());
  EXPECT_FALSE(ip("fe00::1").is_multicast());
  EXPECT_TRUE(ip("169.254.3.4").is_link_local_unicast());
  EXPECT_TRUE(ip("fe80::1").is_link_local_unicast());
  EXPECT_TRUE(ip("febf::1").is_link_local_unicast());
  EXPECT_FALSE(ip("fec0::1").is_link_local_unicast());
  EXPECT_FALSE(ip("169.253.3.4").is_link_local_unicast());
  EXPECT_TRUE(ip("127.0.0.1").is_loopback());
  EXPECT_TRUE(ip("127.255.255.255").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_FALSE(ip("128.0.0.1").is_loopback());
  EXPECT_FALSE(ip("::2").is_loopback());
  EXPECT_FALSE(ip("::").is_loopback());
}

TEST(Cidr, KeepsHostBitsAndReSpells) {
  EXPECT_EQ(cidr("10.1.2.3/24").to_string(), "10.1.2.3/24");
  EXPECT_EQ(cidr("FD00:0::3/64").to_string(), "fd00::3/64");
  EXPECT_EQ(cidr("10.1.2.3/024").to_string(), "10.1.2.3/24") << "as the reference reads it";
  EXPECT_EQ(cidr("0.0.0.0/00").to_string(), "0.0.0.0/0");
  EXPECT_EQ(cidr("0.0.0.0/0").to_string(), "0.0.0.0/0");
  EXPECT_EQ(cidr("::/0").to_string(), "::/0");
  EXPECT_EQ(Cidr::host(ip("10.1.2.3")).to_string(), "10.1.2.3/32");
  EXPECT_EQ(Cidr::host(ip("fd00::3")).to_string(), "fd00::3/128");
}

// The prefix of an IPv4-mapped address counts from the first of 128 bits.
TEST(Cidr, OfAMappedAddressIsItsIpv4Network) {
  EXPECT_EQ(cidr("::ffff:10.1.2.3/120").to_string(), "10.1.2.3/24");
  EXPECT_EQ(cidr("::ffff:10.1.2.3/128").to_string(), "10.1.2.3/32");
  EXPECT_EQ(cidr("::ffff:0:0/96").to_string(), "0.0.0.0/0");
  EXPECT_FALSE(Cidr::parse("::ffff:10.1.2.3/95"));
  EXPECT_FALSE(Cidr::parse("::ffff:10.1.2.3/24"));
  EXPECT_FALSE(Cidr::parse("::ffff:10.1.2.3/129"));
}

TEST(Cidr, RefusesWhatIsNone) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      "10.1.2.3"sv,
                                      "10.1.2.3/"sv,
                                      "/24"sv,
                                      "10.1.2.3/33"sv,
                                      "10.1.2.3/-1"sv,
                                      "10.1.2.3/+1"sv,
                                      "10.1.2.3/ 24"sv,
                                      "10.1.2.3/24 "sv,
                                      "10.1.2.3/a"sv,
                                      "10.1.2.3/24/8"sv,
                                      "10.1.2.3/2 4"sv,
                                      "10.1.2.3/0x18"sv,
                                      "10.1.2.3/255.255.255.0"sv,
                                      "10.1.2/24"sv,
                                      "010.1.2.3/24"sv,
                                      "fd00::/129"sv,
                                      "fd00::/1000"sv,
                                      "fd00::/18446744073709551617"sv,
                                      "fe80::1%1/64"sv,
                                      " 10.1.2.3/24"sv,
                                      "10.1.2.3/24\0"sv,
                                      "10.1.2.3/24\n"sv}) {
    EXPECT_FALSE(Cidr::parse(text)) << text;
  }
}

struct Network {
  std::string_view text;
  std::string_view network;
  std::string_view last;
};

TEST(Cidr, NetworkAndLastAddress) {
  for (const Network& each :
       std::vector<Network>{{"10.1.2.3/0", "0.0.0.0/0", "255.255.255.255"},
                            {"10.1.2.3/1", "0.0.0.0/1", "127.255.255.255"},
                            {"10.1.2.3/8", "10.0.0.0/8", "10.255.255.255"},
                            {"10.1.2.3/9", "10.0.0.0/9", "10.127.255.255"},
                            {"10.1.2.3/24", "10.1.2.0/24", "10.1.2.255"},
                            {"10.1.2.133/25", "10.1.2.128/25", "10.1.2.255"},
                            {"10.1.2.3/30", "10.1.2.0/30", "10.1.2.3"},
                            {"10.1.2.3/31", "10.1.2.2/31", "10.1.2.3"},
                            {"10.1.2.3/32", "10.1.2.3/32", "10.1.2.3"},
                            {"fd12:3456::9/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                            {"fd12:3456::9/7", "fc00::/7", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                            {"fd12:3456::9/64", "fd12:3456::/64", "fd12:3456::ffff:ffff:ffff:ffff"},
                            {"fd12:3456::9/65", "fd12:3456::/65", "fd12:3456::7fff:ffff:ffff:ffff"},
                            {"fd12:3456::9/127", "fd12:3456::8/127", "fd12:3456::9"},
                            {"fd12:3456::9/128", "fd12:3456::9/128", "fd12:3456::9"}}) {
    EXPECT_EQ(cidr(each.text).network(), cidr(each.network)) << each.text;
    EXPECT_EQ(cidr(each.text).last(), ip(each.last)) << each.text;
  }
}

TEST(Cidr, ContainsTheAddressesOfItsNetwork) {
  EXPECT_TRUE(cidr("10.1.2.3/24").contains(ip("10.1.2.0")));
  EXPECT_TRUE(cidr("10.1.2.3/24").contains(ip("10.1.2.255")));
  EXPECT_FALSE(cidr("10.1.2.3/24").contains(ip("10.1.3.0")));
  EXPECT_FALSE(cidr("10.1.2.3/24").contains(ip("10.1.1.255")));
  EXPECT_TRUE(cidr("0.0.0.0/0").contains(ip("255.255.255.255")));
  EXPECT_FALSE(cidr("0.0.0.0/0").contains(ip("::")));
  EXPECT_FALSE(cidr("::/0").contains(ip("0.0.0.0")));
  EXPECT_TRUE(cidr("10.1.2.3/32").contains(ip("10.1.2.3")));
  EXPECT_FALSE(cidr("10.1.2.3/32").contains(ip("10.1.2.2")));
  EXPECT_TRUE(cidr("fd00::1/127").contains(ip("fd00::")));
  EXPECT_FALSE(cidr("fd00::1/127").contains(ip("fd00::2")));
}

TEST(Cidr, OverlapsInBothDirectionsOrNot) {
  const auto overlap = [](std::string_view a, std::string_view b) {
    EXPECT_EQ(cidr(a).overlaps(cidr(b)), cidr(b).overlaps(cidr(a))) << a << " " << b;
    return cidr(a).overlaps(cidr(b));
  };
  EXPECT_TRUE(overlap("10.0.0.0/8", "10.1.2.0/24"));
  EXPECT_TRUE(overlap("10.1.2.9/24", "10.1.2.0/30"));
  EXPECT_TRUE(overlap("0.0.0.0/0", "10.1.2.0/24"));
  EXPECT_TRUE(overlap("10.1.2.3/32", "10.1.2.3/32"));
  EXPECT_FALSE(overlap("10.1.2.0/24", "10.1.3.0/24"));
  EXPECT_FALSE(overlap("10.1.2.3/32", "10.1.2.4/32"));
  EXPECT_FALSE(overlap("0.0.0.0/0", "::/0"));
  EXPECT_TRUE(overlap("fd00::/64", "fd00::1/128"));
  EXPECT_FALSE(overlap("fd00::/64", "fd00:0:0:1::/64"));
}

TEST(Cidr, DefaultRoute) {
  EXPECT_TRUE(cidr("0.0.0.0/0").is_default_route());
  EXPECT_TRUE(cidr("::/0").is_default_route());
  EXPECT_FALSE(cidr("0.0.0.0/1").is_default_route());
  EXPECT_FALSE(cidr("10.0.0.0/0").is_default_route());
}

TEST(Cidr, SomeAddressesNoInterfaceCanHave) {
  const std::pair<const char*, const char*> kBad[] = {{"0.0.0.0/8", "is no address"},
                                                      {"::/64", "is no address"},
                                                      {"10.1.0.5/0", "prefix length of 0"},
                                                      {"224.0.0.1/24", "is a multicast address"},
                                                      {"ff02::1/64", "is a multicast address"},
                                                      {"127.0.0.1/8", "is a loopback address"},
                                                      {"::1/128", "is a loopback address"},
                                                      {"10.1.0.255/24", "is a broadcast address"},
                                                      {"255.255.255.255/32", "is a broadcast address"}};
  for (const auto& [text, why] : kBad) {
    EXPECT_NE(cidr(text).why_no_host().find(why), std::string_view::npos) << text << " " << cidr(text).why_no_host();
  }
  for (const char* text : {"10.1.0.5/24", "10.1.0.0/24", "10.1.0.255/32", "10.1.0.255/31", "fd00::ffff/112",
                           "fd00::/64", "169.254.1.1/16", "240.0.0.1/8"}) {
    EXPECT_EQ(cidr(text).why_no_host(), "") << text;
  }
}

TEST(Cidr, TheFirstAddressIsTheNetworksIfThereAreMore) {
  for (const char* text : {"10.1.0.0/24", "10.1.0.4/30", "fd00::/64", "fd00::/126", "0.0.0.0/0"}) {
    EXPECT_TRUE(cidr(text).is_network_address()) << text;
  }
  for (const char* text : {"10.1.0.1/24", "10.1.0.4/31", "10.1.0.4/32", "fd00::/127", "fd00::/128", "fd00::1/64"}) {
    EXPECT_FALSE(cidr(text).is_network_address()) << text;
  }
}

}  // namespace
}  // namespace cnio
