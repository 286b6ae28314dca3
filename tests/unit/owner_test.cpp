// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/owner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cnio::firewall {
namespace {

const RuleOwner kOwner = {"n", {"c1", "eth0"}};

TEST(RuleOwner, CommentNamesItWithHashAndText) {
  const std::string comment = owner_comment(kOwner);
  EXPECT_EQ(comment, "cnio " + network_hash("n") + attachment_hash({"c1", "eth0"}) + " n/c1/eth0");
  EXPECT_EQ(owner_text(comment), "n/c1/eth0");
  EXPECT_TRUE(belongs_to(comment, kOwner));
}

// P4: the reference takes `a` + `bc` and `ab` + `c` for one, and all interfaces of a container.
TEST(RuleOwner, IsToldFromWhoeverHasAPartOfItsNames) {
  const std::string comment = owner_comment({"a", {"bc", "eth0"}});
  for (const RuleOwner& other : {RuleOwner{"ab", {"c", "eth0"}}, RuleOwner{"a", {"bc", "eth1"}},
                                 RuleOwner{"b", {"bc", "eth0"}}, RuleOwner{"a", {"b", "ceth0"}}}) {
    EXPECT_FALSE(belongs_to(comment, other)) << other.text();
  }
}

TEST(RuleOwner, IsReadFromItsText) {
  EXPECT_EQ(owner_in_text(kOwner.text()), kOwner);
  EXPECT_EQ(owner_in_text("a/b/c1/eth0"), (RuleOwner{"a/b", {"c1", "eth0"}}));
  for (const char* text : {"", "/", "a", "a/b", "/b"}) EXPECT_EQ(owner_in_text(text), std::nullopt) << text;
}

TEST(RuleOwner, LongNamesAreCutButStillTold) {
  const std::string id(300, 'x');
  const RuleOwner one{"network", {id + "1", "eth0"}};
  const RuleOwner two{"network", {id + "2", "eth0"}};
  EXPECT_EQ(owner_comment(one).size(), 128);
  EXPECT_TRUE(belongs_to(owner_comment(one), one));
  EXPECT_FALSE(belongs_to(owner_comment(one), two));
}

TEST(RuleOwner, TextHoldsNothingThatBreaksTheOutputOfNft) {
  EXPECT_EQ((RuleOwner{"n", {"c\"1\\", "e\n\xc3"}}).text(), "n/c?1?/e??");
}

TEST(RuleOwner, OtherCommentsBelongToNobody) {
  for (const char* comment :
       {"", "cnio ", "cnio n/c1/eth0", "net: n, if: eth0, id: c1", "c1", "cnio 0123456789abcdef0123456789abcdef"}) {
    EXPECT_FALSE(belongs_to(comment, kOwner)) << comment;
    EXPECT_EQ(owner_text(comment), "") << comment;
    EXPECT_FALSE(StaleOwners("n", {}).contain(comment)) << comment;
  }
}

TEST(StaleOwners, AreThoseOfTheNetworkThatAreNotValid) {
  const StaleOwners stale("n", {{"c1", "eth0"}, {"c2", "eth0"}});
  EXPECT_FALSE(stale.contain(owner_comment(kOwner)));
  EXPECT_TRUE(stale.contain(owner_comment({"n", {"c1", "eth1"}})));
  EXPECT_TRUE(stale.contain(owner_comment({"n", {"c3", "eth0"}})));
  EXPECT_FALSE(stale.contain(owner_comment({"m", {"c3", "eth0"}})));
}

TEST(StaleOwners, AreKnownByTheirHashesAlone) {
  const StaleOwners stale("n", {{"c1", "eth0"}});
  EXPECT_TRUE(stale.contain_hash(owner_hash({"n", {"c3", "eth0"}})));
  EXPECT_FALSE(stale.contain_hash(owner_hash(kOwner)));
  EXPECT_FALSE(stale.contain_hash(owner_hash({"m", {"c3", "eth0"}})));
  EXPECT_FALSE(stale.contain_hash(""));
}

TEST(StaleOwners, WithoutValidOnesAreAllOfTheNetwork) {
  EXPECT_TRUE(StaleOwners("n", {}).contain(owner_comment(kOwner)));
  EXPECT_FALSE(StaleOwners("m", {}).contain(owner_comment(kOwner)));
}

}  // namespace
}  // namespace cnio::firewall
