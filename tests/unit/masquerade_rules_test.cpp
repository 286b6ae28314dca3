// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Which rules an attachment gets, and that rules come back from netlink messages as they went in.
#include <linux/netfilter/nf_tables.h>

#include <gtest/gtest.h>
#include <netlink/msg.h>

#include "firewall/iptables.hpp"
#include "firewall/masquerade_nftables.hpp"
#include "firewall/masquerade_reference.hpp"
#include "net/nftables/message.hpp"

namespace cnio::firewall {
namespace {

using net::NftFamily;
using net::NftRule;
using Action = NftRule::Action;
using Words = std::vector<std::string>;

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
IpAddr ip(const char* text) { return IpAddr::parse(text).value(); }

NftRule rule(Action action, std::optional<Cidr> destination = std::nullopt, std::optional<Cidr> source = std::nullopt) {
  NftRule out;
  out.action = action;
  out.destination = destination;
  out.source = source;
  return out;
}

/// What remains of a rule after a way through a message.
NftRule sent_and_read(const NftRule& what, NftFamily table = NftFamily::kInet) {
  const net::MsgPtr message = net::nft::make_message(NFT_MSG_NEWRULE, table, 0);
  net::nft::put_expressions(message.get(), what);
  return net::nft::parse_rule(*nlmsg_hdr(message.get()), table);
}

TEST(MasqueradeRules, ExceptionsComeBeforeMasquerade) {
  MasqueradeSpec spec;
  spec.addresses = {cidr("10.1.0.2/24"), cidr("fd00:1::2/64")};
  spec.exclude = {cidr("192.0.2.5/24"), cidr("2001:db8::/32")};
  const std::vector<NftRule> wanted = {
      rule(Action::kReturn, cidr("10.1.0.0/24"), cidr("10.1.0.2/32")),
      rule(Action::kReturn, cidr("fd00:1::/64"), cidr("fd00:1::2/128")),
      rule(Action::kReturn, cidr("224.0.0.0/4")),
      rule(Action::kReturn, cidr("ff00::/8")),
      rule(Action::kReturn, cidr("192.0.2.0/24")),
      rule(Action::kReturn, cidr("2001:db8::/32")),
      rule(Action::kMasquerade),
  };
  const auto rules = masquerade_rules(spec);
  ASSERT_EQ(rules.size(), wanted.size());
  for (size_t i = 0; i < rules.size(); ++i) EXPECT_TRUE(rules[i].same_effect(wanted[i])) << "rule " << i;
}

TEST(MasqueradeRules, OnlyWhatIsListedIfAnythingIs) {
  MasqueradeSpec spec;
  spec.addresses = {cidr("10.1.0.2/24")};
  spec.only = {cidr("192.0.2.5/24"), cidr("2001:db8::/32")};
  const auto rules = masquerade_rules(spec);
  ASSERT_EQ(rules.size(), 3U);
  EXPECT_TRUE(rules.back().same_effect(rule(Action::kMasquerade, cidr("192.0.2.0/24"))));
  spec.only.emplace();
  EXPECT_EQ(masquerade_rules(spec).size(), 2U);
}

TEST(NftRules, OfBridgesComeBackAsTheyWent) {
  NftRule port = rule(Action::kJump);
  port.target = "chain";
  port.input_interface = "veth0123456789a";
  EXPECT_TRUE(sent_and_read(port, NftFamily::kBridge).same_effect(port));
  NftRule mac = rule(Action::kReturn);
  mac.source_mac = MacAddr::parse("02:00:00:00:00:05");
  EXPECT_TRUE(sent_and_read(mac, NftFamily::kBridge).same_effect(mac));
  EXPECT_FALSE(mac.same_effect(rule(Action::kReturn)));
  EXPECT_FALSE(port.same_effect(mac));
  EXPECT_TRUE(sent_and_read(rule(Action::kDrop), NftFamily::kBridge).same_effect(rule(Action::kDrop)));
}

TEST(MasqueradeRules, OtherFamilyAndRepetitionAreLeftOut) {
  MasqueradeSpec spec;
  spec.addresses = {cidr("10.1.0.2/24"), cidr("10.1.0.2/24")};
  spec.exclude = {cidr("2001:db8::/32")};
  EXPECT_EQ(masquerade_rules(spec).size(), 3U);  // own subnet, multicast, masquerade
}

TEST(NftRules, ComeBackFromAMessageAsTheyWentIn) {
  NftRule map = rule(Action::kSourceMap);
  map.family = Family::kIpv6;
  map.target = "some_map";
  NftRule jump = rule(Action::kJump, std::nullopt, cidr("10.1.0.2/32"));
  jump.target = "some_chain";
  NftRule go = rule(Action::kGoto);
  go.target = "some_chain";
  for (const NftRule& what : {map, jump, go, rule(Action::kMasquerade), rule(Action::kAccept, cidr("10.0.0.0/8")),
                              rule(Action::kReturn, cidr("0.0.0.0/0")), rule(Action::kReturn, cidr("::/0")),
                              rule(Action::kReturn, cidr("10.1.2.3/32"), cidr("10.0.0.0/13")),
                              rule(Action::kReturn, cidr("2001:db8::/33"), cidr("fd00::1/128"))}) {
    EXPECT_TRUE(sent_and_read(what).same_effect(what)) << static_cast<int>(what.action) << " " << what.target;
  }
}

TEST(NftRules, DifferInEachOfTheirParts) {
  const NftRule base = rule(Action::kReturn, cidr("10.0.0.0/8"), cidr("10.1.0.2/32"));
  EXPECT_FALSE(base.same_effect(rule(Action::kAccept, cidr("10.0.0.0/8"), cidr("10.1.0.2/32"))));
  EXPECT_FALSE(base.same_effect(rule(Action::kReturn, cidr("10.0.0.0/9"), cidr("10.1.0.2/32"))));
  EXPECT_FALSE(base.same_effect(rule(Action::kReturn, cidr("10.0.0.0/8"), cidr("10.1.0.3/32"))));
  EXPECT_FALSE(base.same_effect(rule(Action::kReturn, cidr("10.0.0.0/8"))));
  NftRule more = base;
  more.has_more = true;
  EXPECT_FALSE(base.same_effect(more));
}

TEST(SharedChainPart, IsToldBySourceAndComment) {
  const SharedChain all = {"CNI-x", "name: \"n\" id: \"c1\"", {}};
  const SharedChain some = {"CNI-x", "name: \"n\" id: \"c1\"", {ip("10.1.0.2"), ip("fd00::2")}};
  const std::string own = "name: \"n\" id: \"c1\"";
  EXPECT_TRUE(all.holds_jump(cidr("10.1.0.9/32"), own));
  EXPECT_TRUE(all.holds_jump(std::nullopt, ""));
  EXPECT_FALSE(all.holds_jump(cidr("10.1.0.9/32"), "name: \"nc\" id: \"1\""));
  EXPECT_TRUE(some.holds_jump(cidr("10.1.0.2/32"), own));
  EXPECT_TRUE(some.holds_jump(cidr("10.1.0.0/24"), own)) << "the form of old versions";
  EXPECT_TRUE(some.holds_jump(cidr("fd00::2/128"), ""));
  EXPECT_FALSE(some.holds_jump(cidr("10.1.0.3/32"), own));
  EXPECT_FALSE(some.holds_jump(std::nullopt, own));
}

TEST(IptablesLine, IsSplitAsTheProgramQuotesIt) {
  EXPECT_EQ(split_iptables_line(R"(-A POSTROUTING -s 10.1.0.2/32 -m comment --comment "name: \"n\" id: \"c1\"" -j X)"),
            (Words{"-A", "POSTROUTING", "-s", "10.1.0.2/32", "-m", "comment", "--comment", "name: \"n\" id: \"c1\"",
                   "-j", "X"}));
  EXPECT_EQ(split_iptables_line("  -N   X "), (Words{"-N", "X"}));
  EXPECT_EQ(split_iptables_line(R"(a "" b\\c "d\)"), (Words{"a", "", "b\\c", "d\\"}));
  EXPECT_EQ(split_iptables_line(""), Words{});
}

}  // namespace
}  // namespace cnio::firewall
