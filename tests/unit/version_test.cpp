// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/protocol/version.hpp"

#include <gtest/gtest.h>

namespace cnio::protocol {
namespace {

TEST(SpecVersion, AllReleasedOnesAreReadAndWritten) {
  for (const char* text : {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
    const auto version = parse_version(text);
    ASSERT_TRUE(version) << text;
    EXPECT_EQ(to_string(*version), text);
  }
  EXPECT_EQ(to_string(kLatestVersion), "1.1.0");
}

TEST(SpecVersion, NoTextMeansTheFirst) { EXPECT_EQ(parse_version(""), SpecVersion::k010); }

TEST(SpecVersion, OnlyExactTextsCount) {
  for (const char* text : {"1.2.0", "1.1", "1.1.0 ", " 1.1.0", "v1.1.0", "1.1.0.0", "01.1.0", "1.1.0-rc1", "0.0.0"}) {
    EXPECT_FALSE(parse_version(text)) << text;
  }
}

TEST(SpecVersion, OrderIsThatOfTheReleases) {
  EXPECT_LT(SpecVersion::k010, SpecVersion::k020);
  EXPECT_LT(SpecVersion::k031, SpecVersion::k040);
  EXPECT_LT(SpecVersion::k040, SpecVersion::k100);
}

TEST(SpecVersion, ListForPeople) {
  EXPECT_EQ(supported_versions_text(), "0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
}

}  // namespace
}  // namespace cnio::protocol
