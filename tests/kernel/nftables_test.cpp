// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Programs, sets and maps, judged by the nft program.
#include "cnio/net/nftables/nftables.hpp"

#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include <gmock/gmock.h>

#include "support/host.hpp"
#include "support/matchers.hpp"
#include "support/subprocess.hpp"

namespace cnio::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace expr = net::expr;

const NftTable kTable = {NftFamily::kInet, "t"};

/// A part of a key, padded as the kernel wants it.
std::string part(std::string bytes) {
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return bytes;
}

std::string port_key(uint8_t protocol, uint16_t port) {
  return part(std::string(1, static_cast<char>(protocol))) + part(expr::bytes_of_port(port));
}

std::string target(const char* address, uint16_t port) {
  return part(expr::bytes_of(IpAddr::parse(address).value())) + part(expr::bytes_of_port(port));
}

class NftablesTest : public test::HostTest {
 protected:
  void SetUp() override {
    HostTest::SetUp();
    nft_.emplace(NftConnection::require({}).value());
  }

  Status commit(const NftBatch& batch) { return nft_->commit(batch, "write"); }
  static std::string ruleset() { return test::must_run({"nft", "list", "ruleset"}); }

  static NftSetSpec ports4() {
    return {"ports4", {kNftTypeProtocol, kNftTypePort}, {kNftTypeIpv4Address, kNftTypePort}, false, "for people"};
  }
  static NftBatch with_ports() {
    NftBatch batch(kTable);
    batch.ensure_table("");
    batch.ensure_set(ports4());
    return batch;
  }

  std::optional<NftConnection> nft_;
};

TEST_F(NftablesTest, AMapOfPortsIsPrintedAsNftWouldWriteIt) {
  NftBatch batch = with_ports();
  batch.add_element("ports4", {port_key(IPPROTO_TCP, 8080), target("10.88.0.11", 80), {}, "n/c1/eth0"});
  ASSERT_OK(commit(batch));
  EXPECT_EQ(ruleset(), R"(table inet t {
	map ports4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		comment "for people"
		elements = { tcp . 8080 comment "n/c1/eth0" : 10.88.0.11 . 80 }
	}
}
)");
}

TEST_F(NftablesTest, ElementsAreReadBackAsTheyWereWritten) {
  const NftElement one = {port_key(IPPROTO_TCP, 8080), target("10.88.0.11", 80), {}, "n/c1/eth0"};
  const NftElement two = {port_key(IPPROTO_UDP, 8080), target("10.88.0.12", 81), {}, ""};
  NftBatch batch = with_ports();
  batch.add_element("ports4", one);
  batch.add_element("ports4", two);
  ASSERT_OK(commit(batch));
  const auto all = nft_->list_elements(kTable, "ports4");
  ASSERT_OK(all);
  EXPECT_THAT(all.value(), ::testing::UnorderedElementsAre(one, two));
  EXPECT_EQ(nft_->find_element(kTable, "ports4", one.key).value(), one);
  EXPECT_EQ(nft_->find_element(kTable, "ports4", port_key(IPPROTO_TCP, 1)).value(), std::nullopt);
  EXPECT_THAT(nft_->list_elements(kTable, "none").value(), ElementsAre());
  EXPECT_EQ(nft_->find_element(kTable, "none", one.key).value(), std::nullopt);
}

TEST_F(NftablesTest, AKeyWithAnotherValueIsRefusedAndTakesItsTransactionWithIt) {
  NftBatch first = with_ports();
  first.add_element("ports4", {port_key(IPPROTO_TCP, 8080), target("10.88.0.11", 80)});
  ASSERT_OK(commit(first));
  NftBatch again(kTable);
  again.add_element("ports4", {port_key(IPPROTO_TCP, 8080), target("10.88.0.11", 80)});
  EXPECT_OK(commit(again));
  NftBatch other(kTable);
  other.add_element("ports4", {port_key(IPPROTO_TCP, 9090), target("10.88.0.12", 80)});
  other.add_element("ports4", {port_key(IPPROTO_TCP, 8080), target("10.88.0.12", 80)});
  const Status refused = commit(other);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().errnum(), EEXIST);
  EXPECT_EQ(nft_->list_elements(kTable, "ports4").value().size(), 1U);
  NftBatch exclusive(kTable);
  exclusive.add_element("ports4", {port_key(IPPROTO_TCP, 8080), target("10.88.0.11", 80)}, true);
  EXPECT_FALSE(commit(exclusive).ok());
}

TEST_F(NftablesTest, AnElementIsDeletedByItsKey) {
  NftBatch batch = with_ports();
  batch.add_element("ports4", {port_key(IPPROTO_TCP, 8080), target("10.88.0.11", 80)});
  ASSERT_OK(commit(batch));
  NftBatch gone(kTable);
  gone.delete_element("ports4", port_key(IPPROTO_TCP, 8080));
  ASSERT_OK(commit(gone));
  EXPECT_THAT(nft_->list_elements(kTable, "ports4").value(), ElementsAre());
  EXPECT_EQ(commit(gone).error().errnum(), ENOENT);
}

TEST_F(NftablesTest, AVerdictMapLeadsToItsChains) {
  NftBatch batch(kTable);
  batch.ensure_table("");
  batch.ensure_chain("c", "");
  batch.ensure_set({"m", {kNftTypeInterface}, {}, true, ""});
  batch.add_element("m", {expr::bytes_of_interface("br0"), {}, "c", "whose"});
  ASSERT_OK(commit(batch));
  EXPECT_THAT(ruleset(), HasSubstr("\"br0\" comment \"whose\" : goto c"));
  const auto found = nft_->find_element(kTable, "m", expr::bytes_of_interface("br0"));
  ASSERT_OK(found);
  ASSERT_TRUE(found.value().has_value());
  EXPECT_EQ(found.value()->chain, "c");
}

/// prerouting: to this host, by port; the address out of the map.
NftProgram translation() {
  NftProgram program;
  program.steps = {expr::load_meta(NFT_META_NFPROTO),    expr::compare(std::string(1, NFPROTO_IPV4)),
                   expr::load_destination_type(),        expr::compare(expr::bytes_of_u32(RTN_LOCAL)),
                   expr::load_meta(NFT_META_L4PROTO, 0), expr::load_destination_port(1),
                   expr::map_to("ports4", 0, 0),         expr::dnat(Family::kIpv4, 0, 1)};
  return program;
}

NftBatch with_programs() {
  NftBatch batch(kTable);
  batch.ensure_table("");
  batch.ensure_set({"ports4", {kNftTypeProtocol, kNftTypePort}, {kNftTypeIpv4Address, kNftTypePort}});
  batch.ensure_set({"pods", {kNftTypeIpv4Address}});
  batch.ensure_base_chain({"prerouting", NftBaseChain::Hook::kNatPrerouting, -95});
  batch.ensure_base_chain({"output", NftBaseChain::Hook::kNatOutput, -95});
  batch.ensure_base_chain({"guard", NftBaseChain::Hook::kFilterPrerouting, -300});
  batch.ensure_base_chain({"forward", NftBaseChain::Hook::kFilterForward, -10});
  batch.append_program("prerouting", translation(), "to pods");
  const std::string tracked = expr::bytes_of_u32(IPS_DST_NAT);
  batch.append_program(
      "forward",
      {{expr::load_meta(NFT_META_NFPROTO), expr::compare(std::string(1, NFPROTO_IPV4)),
        expr::load_tracking(NFT_CT_STATUS), expr::mask(tracked), expr::compare(std::string(4, '\0'), 0, false),
        expr::load_destination(Family::kIpv4), expr::look_up("pods"), expr::set_immediate(expr::bytes_of_u32(0x40)),
        expr::set_meta(NFT_META_MARK), expr::counter()}});
  batch.insert_program(
      "forward",
      {{expr::load_meta(NFT_META_L4PROTO), expr::compare(std::string(1, IPPROTO_TCP)), expr::load_destination_port(),
        expr::in_range(expr::bytes_of_port(10), expr::bytes_of_port(20)), expr::verdict(NF_DROP)}});
  return batch;
}

TEST_F(NftablesTest, ProgramsArePrintedInNftsLanguage) {
  ASSERT_OK(commit(with_programs()));
  const std::string text = ruleset();
  EXPECT_THAT(text, HasSubstr("type nat hook prerouting priority dstnat + 5; policy accept;"));
  EXPECT_THAT(text, HasSubstr("type nat hook output priority -95; policy accept;"));
  EXPECT_THAT(text, HasSubstr("type filter hook prerouting priority raw; policy accept;"));
  EXPECT_THAT(text, HasSubstr("meta nfproto ipv4 fib daddr type local dnat ip to meta l4proto . th dport map @ports4 "
                              "comment \"to pods\""));
  EXPECT_THAT(text, HasSubstr("ct status dnat ip daddr @pods meta mark set 0x00000040 counter packets 0 bytes 0"));
  EXPECT_LT(text.find("tcp dport 10-20 drop"), text.find("ct status dnat"));
}

TEST_F(NftablesTest, ProgramsAreReadBackAsTheSame) {
  ASSERT_OK(commit(with_programs()));
  const auto rules = nft_->list_programs(kTable, "prerouting");
  ASSERT_OK(rules);
  ASSERT_EQ(rules.value().size(), 1U);
  EXPECT_TRUE(translation().same_effect(rules.value()[0].program));
  EXPECT_EQ(rules.value()[0].comment, "to pods");
  EXPECT_EQ(rules.value()[0].chain, "prerouting");
  NftProgram other = translation();
  other.steps[3] = expr::compare(expr::bytes_of_u32(RTN_UNICAST));
  EXPECT_FALSE(other.same_effect(rules.value()[0].program));
  other = translation();
  other.steps.pop_back();
  EXPECT_FALSE(other.same_effect(rules.value()[0].program));
  EXPECT_EQ(nft_->list_programs(kTable).value().size(), 3U);
}

TEST_F(NftablesTest, ChangesOfTwoTablesHappenTogetherOrNotAtAll) {
  const NftTable v4 = {NftFamily::kIpv4, "a"};
  const NftTable v6 = {NftFamily::kIpv6, "b"};
  NftBatch good(v4);
  good.ensure_table("");
  NftBatch bad(v6);
  bad.ensure_table("");
  bad.delete_chain("none");
  good.join(std::move(bad));
  EXPECT_FALSE(commit(good).ok());
  EXPECT_EQ(ruleset(), "");
  NftBatch first(v4);
  first.ensure_table("");
  NftBatch second(v6);
  second.ensure_table("");
  first.join(std::move(second));
  ASSERT_OK(commit(first));
  EXPECT_THAT(ruleset(), ::testing::AllOf(HasSubstr("table ip a"), HasSubstr("table ip6 b")));
}

TEST(NftExpressionTest, WhatOnlyNewerKernelsTellCountsWhereItSaysSomething) {
  const NftExpression written = expr::compare("ab");
  NftExpression told = written;
  const char silent[] = {8, 0, 9, 0, 0, 0, 0, 0};
  told.attributes.append(silent, sizeof silent);
  EXPECT_TRUE(written.same_effect(told));
  told = written;
  const char loud[] = {8, 0, 9, 0, 0, 0, 0, 1};
  told.attributes.append(loud, sizeof loud);
  EXPECT_FALSE(written.same_effect(told));
  EXPECT_FALSE(written.same_effect({"cmp", ""}));
  EXPECT_FALSE(written.same_effect(expr::compare("ac")));
}

}  // namespace
}  // namespace cnio::net
