// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/masquerade_names.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace cnio::firewall {
namespace {

const MasqueradeIdentity kWho = {"n", {"c1", "eth0"}};

TEST(MasqueradeNames, AreTheReferences) {
  EXPECT_EQ(reference_prefix(kWho), "917148ec47923f2e-f4d01f2ef4b92245");
  EXPECT_EQ(iptables_chain(kWho), "CNI-9b00b9b7c2795a8a61a6eec1");
  EXPECT_EQ(iptables_comment(kWho), "name: \"n\" id: \"c1\"");
}

TEST(MasqueradeNames, ChainSaysWhoseItIs) {
  EXPECT_EQ(attachment_chain(kWho), "att-917148ec47923f2e-f4d01f2ef4b92245");
  EXPECT_EQ(hash_in_attachment_chain(attachment_chain(kWho)), owner_hash({kWho.network, kWho.attachment}));
  EXPECT_NE(attachment_chain(kWho), attachment_chain({"n", {"c1", "eth1"}}));
  for (const char* other : {"", "att-", "917148ec47923f2e-f4d01f2ef4b92245", "att-917148ec47923f2e"}) {
    EXPECT_EQ(hash_in_attachment_chain(other), "") << other;
  }
}

TEST(MasqueradeNames, ReferencesCommentSaysWhoseItIs) {
  const std::string prefix = reference_prefix(kWho);
  for (const char* rest : {"", ", net: n", "-more"}) {
    EXPECT_EQ(hash_in_reference_comment(prefix + rest), owner_hash({kWho.network, kWho.attachment})) << rest;
  }
  for (const std::string& other : {std::string(), prefix.substr(1), prefix.substr(0, 32), std::string(40, 'a')}) {
    EXPECT_EQ(hash_in_reference_comment(other), "") << other;
  }
}

TEST(MasqueradeNames, ReadableIdentityHoldsNothingThatBreaksNft) {
  EXPECT_EQ(readable_identity(kWho), "net: n, if: eth0, id: c1");
  EXPECT_EQ(readable_identity({"n", {"c1", "a\"b\\c\n\xc3\xa4"}}), "net: n, if: a?b?c???, id: c1");
  EXPECT_EQ(readable_identity({"n", {std::string(200, 'c'), "eth0"}}).size(), 128U);
}

TEST(MasqueradeNames, AreReadBack) {
  const MasqueradeIdentity who = {"n", {"c1", "eth0"}};
  EXPECT_EQ(parse_readable_identity(readable_identity(who)), who);
  EXPECT_EQ(hash_in_attachment_chain(attachment_chain(who)), owner_hash(who));
  for (const char* text : {"", "net: n", "net: n, if: eth0", "n, if: eth0, id: c1", "net: n, id: c1, if: eth0"}) {
    EXPECT_EQ(parse_readable_identity(text), std::nullopt) << text;
  }
  for (const char* chain : {"", "att-", "att-0123456789abcdef-0123456789abcde", "postrouting"}) {
    EXPECT_EQ(hash_in_attachment_chain(chain), "") << chain;
  }
}

TEST(MasqueradeNames, IptablesCommentIsCutAsTheProgramCutsIt) {
  const MasqueradeIdentity who = {"n", {std::string(300, 'c'), "eth0"}};
  EXPECT_EQ(iptables_comment(who).size(), 255U);
  EXPECT_TRUE(iptables_comment(who).starts_with(iptables_comment_prefix("n")));
}

TEST(MasqueradeBackendKey, IsOneOfTwoWords) {
  EXPECT_EQ(parse_backend("nftables", true).value(), MasqueradeBackend::kNftables);
  EXPECT_EQ(parse_backend("iptables", true).value(), MasqueradeBackend::kIptables);
  EXPECT_EQ(parse_backend("", false).value(), MasqueradeBackend::kNftables);
  for (const char* text : {"", "nft", "IPTABLES", "iptables "}) {
    EXPECT_ERROR(parse_backend(text, true), Code::kInvalidConfig, "ipMasqBackend") << text;
  }
}

}  // namespace
}  // namespace cnio::firewall
