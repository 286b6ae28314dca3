// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/mac.hpp"

#include <gtest/gtest.h>

#include "support/host.hpp"

namespace cnio {
namespace {

TEST(MacAddr, ReadsTheThreeSpellingsInAnyCase) {
  for (const char* text : {"0a:58:0a:f0:01:02", "0A:58:0a:F0:01:02", "0a-58-0a-f0-01-02", "0A58.0af0.0102"}) {
    const auto mac = MacAddr::parse(text);
    ASSERT_TRUE(mac) << text;
    EXPECT_EQ(mac->to_string(), "0a:58:0a:f0:01:02");
  }
}

TEST(MacAddr, RefusesWhatIsNone) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, "zz"sv, "0a:58:0a:f0:01"sv, "0a:58:0a:f0:01:02:03"sv, "0a:58:0a:f0:01:2"sv, "0a:58:0a:f0:01:0g"sv,
        "0a:58:0a-f0-01-02"sv, "0a.58.0a.f0.01.02"sv, "0a580af00102"sv, "0a58:0af0:0102"sv, "0a580.af0.0102"sv,
        "0a58.0af0:0102"sv, "0a:58:0a:f0:01:02 "sv, " 0a:58:0a:f0:01:02"sv, "0a58.0af0.01 2"sv,
        "0a:58:0a:f0:01:02:03:04"sv, "+a:58:0a:f0:01:02"sv, "0a:58:0a:f0:01:0\0"sv,
        "00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01"sv}) {
    EXPECT_FALSE(MacAddr::parse(text)) << text;
  }
}

TEST(MacAddr, Kinds) {
  EXPECT_TRUE(MacAddr::parse("01:00:5e:00:00:01")->is_multicast());
  EXPECT_TRUE(MacAddr::parse("ff:ff:ff:ff:ff:ff")->is_multicast());
  EXPECT_FALSE(MacAddr::parse("02:00:00:00:00:01")->is_multicast());
  EXPECT_TRUE(MacAddr::parse("00:00:00:00:00:00")->is_zero());
  EXPECT_FALSE(MacAddr::parse("00:00:00:00:00:01")->is_zero());
}

TEST(MacAddr, FromBytesAndBack) {
  const unsigned char bytes[] = {0x02, 0x10, 0xff, 0x00, 0xab, 0x09};
  EXPECT_EQ(MacAddr::from_bytes(bytes).to_string(), "02:10:ff:00:ab:09");
  EXPECT_EQ(MacAddr::from_bytes(MacAddr::from_bytes(bytes).data()), MacAddr::parse("02:10:ff:00:ab:09"));
}

TEST(MacAddr, RandomOnesAreLocalUnicastAndDiffer) {
  const MacAddr first = MacAddr::random();
  for (int i = 0; i < 100; ++i) {
    const MacAddr mac = MacAddr::random();
    EXPECT_FALSE(mac.is_multicast());
    EXPECT_EQ(mac.data()[0] & 0x02U, 0x02U);
    EXPECT_NE(mac, first);  // by chance: once in 2^46
  }
}

TEST(MacAddr, HighOnesAreAboveAllOthersAndDiffer) {
  FAULT("D12 host end's MAC");
  const MacAddr first = MacAddr::random_high();
  for (int i = 0; i < 100; ++i) {
    const MacAddr mac = MacAddr::random_high();
    EXPECT_FALSE(mac.is_multicast());
    EXPECT_EQ(mac.data()[0], 0xfe);
    EXPECT_GT(mac, MacAddr::parse("fc:ff:ff:ff:ff:ff"));
    EXPECT_NE(mac, first);  // by chance: once in 2^40
  }
}

}  // namespace
}  // namespace cnio
