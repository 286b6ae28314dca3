// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Rules in the form of iptables, judged by the iptables program: it makes each by itself, and prints ours.
#include "cnio/firewall/xtables.hpp"

#include <iomanip>
#include <netinet/in.h>
#include <sstream>

#include <gmock/gmock.h>

#include "support/host.hpp"
#include "support/matchers.hpp"
#include "support/subprocess.hpp"

namespace cnio::test {
namespace {

using firewall::XtablesMark;
using firewall::XtablesRule;
using firewall::XtablesState;

struct Case {
  const char* name;
  const char* table;
  Family family;
  XtablesRule rule;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

XtablesRule mapped(uint8_t protocol) {
  return {.protocol = protocol, .destination_port = 8080, .translate = {{IpAddr::parse("10.88.0.11").value(), 80}}};
}

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

const Case kCases[] = {
    {"ToLocal", "nat", Family::kIpv4, {.to_local = true, .jump = "other"}},
    {"Comment", "nat", Family::kIpv4, {.comment = "CNI portfwd requiring masquerade", .jump = "other"}},
    {"CommentWithQuotes", "nat", Family::kIpv6, {.comment = "dnat name: \"n\" id: \"c1\"", .jump = "other"}},
    {"LongComment", "nat", Family::kIpv4, {.comment = std::string(255, 'x'), .jump = "other"}},
    {"Marked", "nat", Family::kIpv4, {.mark = XtablesMark{0x2000, 0x2000}, .masquerade = true}},
    {"MarkedIpv6", "nat", Family::kIpv6, {.mark = XtablesMark{0x2000, 0x2000}, .masquerade = true}},
    {"SetMark", "nat", Family::kIpv4, {.comment = "mark", .set_mark = XtablesMark{0x2000, 0x2000}}},
    {"HighestMark", "nat", Family::kIpv6, {.set_mark = XtablesMark{0x80000000, 0x80000000}}},
    {"OnePort", "nat", Family::kIpv4, {.protocol = IPPROTO_TCP, .comment = "c", .ports = {8080}, .jump = "other"}},
    {"FifteenPorts",
     "nat",
     Family::kIpv6,
     {.protocol = IPPROTO_UDP,
      .comment = "c",
      .ports = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 65535},
      .jump = "other"}},
    {"PortsOfSctp", "nat", Family::kIpv4, {.protocol = IPPROTO_SCTP, .ports = {7, 9}, .jump = "other"}},
    {"FromASubnet",
     "nat",
     Family::kIpv4,
     {.source = cidr("10.88.0.0/24"), .protocol = IPPROTO_TCP, .destination_port = 8080, .jump = "other"}},
    {"FromAnOddSubnet", "nat", Family::kIpv4, {.source = cidr("10.88.0.64/27"), .jump = "other"}},
    {"FromAnOddSubnetOfIpv6", "nat", Family::kIpv6, {.source = cidr("fd88::/61"), .jump = "other"}},
    {"FromASubnetOfIpv6",
     "nat",
     Family::kIpv6,
     {.source = cidr("fd88::/64"), .protocol = IPPROTO_UDP, .destination_port = 53, .jump = "other"}},
    {"ToAnAddress",
     "nat",
     Family::kIpv4,
     {.source = cidr("127.0.0.1/32"),
      .destination = cidr("192.168.50.1/32"),
      .protocol = IPPROTO_TCP,
      .destination_port = 8080,
      .jump = "other"}},
    {"TranslatedTcp", "nat", Family::kIpv4, mapped(IPPROTO_TCP)},
    {"TranslatedUdp", "nat", Family::kIpv4, mapped(IPPROTO_UDP)},
    {"TranslatedSctp", "nat", Family::kIpv4, mapped(IPPROTO_SCTP)},
    {"TranslatedDccp", "nat", Family::kIpv4, mapped(IPPROTO_DCCP)},
    {"TranslatedIpv6",
     "nat",
     Family::kIpv6,
     {.destination = cidr("fd50::1/128"),
      .protocol = IPPROTO_SCTP,
      .destination_port = 65535,
      .translate = {{IpAddr::parse("fd88::11").value(), 1}}}},
    {"Replies",
     "filter",
     Family::kIpv4,
     {.destination = cidr("10.88.0.11/32"), .state = XtablesState::kRelatedEstablished, .jump = "ACCEPT"}},
    {"Translated",
     "filter",
     Family::kIpv6,
     {.destination = cidr("fd88::11/128"), .comment = "c", .state = XtablesState::kDnat, .jump = "ACCEPT"}},
    {"FromThePod", "filter", Family::kIpv4, {.source = cidr("10.88.0.11/32"), .jump = "ACCEPT"}},
    {"WithinABridge",
     "filter",
     Family::kIpv4,
     {.input_interface = "br0", .output_interface = "br0", .comment = "c", .jump = "DROP"}},
    {"OutOfABridge",
     "filter",
     Family::kIpv6,
     {.input_interface = "a-bridge-of-15c",
      .output_interface = "a-bridge-of-15c",
      .other_output = true,
      .comment = "c",
      .jump = "other"}},
    {"Prefix", "filter", Family::kIpv4, {.input_interface = "veth+", .jump = "RETURN"}},
    {"AnyMark", "filter", Family::kIpv4, {.mark = XtablesMark{0x1, 0xff}, .jump = "ACCEPT"}},
};

/// For reading what differs.
std::string in_hex(const net::NftProgram& program) {
  std::ostringstream out;
  for (const net::NftExpression& step : program.steps) {
    out << "\n" << step.name << std::hex << std::setfill('0');
    for (const char byte : step.attributes) out << ' ' << std::setw(2) << (static_cast<unsigned>(byte) & 0xFFU);
  }
  return out.str();
}

class Xtables : public HostTest, public ::testing::WithParamInterface<Case> {
 protected:
  static std::vector<std::string> iptables(std::vector<std::string> arguments) {
    const char* program = GetParam().family == Family::kIpv4 ? "iptables" : "ip6tables";
    arguments.insert(arguments.begin(), {program, "-t", GetParam().table});
    return arguments;
  }

  void SetUp() override {
    HostTest::SetUp();
    for (const char* chain : {"theirs", "ours", "other"}) must_run(iptables({"-N", chain}));
    std::vector<std::string> words = {"-A", "theirs"};
    for (const std::string& word : firewall::arguments_of(GetParam().rule)) words.push_back(word);
    must_run(iptables(words));
    nft_.emplace(net::NftConnection::require({}).value());
  }

  static net::NftTable table() {
    const auto family = GetParam().family == Family::kIpv4 ? net::NftFamily::kIpv4 : net::NftFamily::kIpv6;
    return {family, GetParam().table};
  }
  static net::NftProgram program() { return firewall::program_of(GetParam().rule, GetParam().family); }

  /// What `iptables -S` prints of a chain's rules, without the chain's name.
  static std::string printed(const std::string& chain) {
    std::string text = must_run(iptables({"-S", chain}));
    text.erase(0, text.find('\n') + 1);
    const std::string start = "-A " + chain;
    EXPECT_EQ(text.compare(0, start.size(), start), 0) << text;
    return text.substr(start.size());
  }

  /// As iptables would print these words.
  static std::string written(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) {
      std::ostringstream quoted;
      quoted << std::quoted(word);
      line += " " + (word.find_first_of(" \"") == std::string::npos ? word : quoted.str());
    }
    return line + "\n";
  }

  std::optional<net::NftConnection> nft_;
};

TEST_P(Xtables, IsWhatIptablesWrites) {
  const auto theirs = nft_->list_programs(table(), "theirs");
  ASSERT_OK(theirs);
  ASSERT_EQ(theirs.value().size(), 1U);
  EXPECT_TRUE(program().same_effect(theirs.value()[0].program)) << in_hex(program()) << "\n"
                                                                << in_hex(theirs.value()[0].program);
}

TEST_P(Xtables, IsPrintedByIptablesLikeItsOwn) {
  net::NftBatch batch(table());
  batch.append_program("ours", program());
  ASSERT_OK(nft_->commit(batch, "write"));
  EXPECT_EQ(printed("ours"), printed("theirs"));
  EXPECT_EQ(written(firewall::arguments_of(GetParam().rule)), printed("theirs"));
  const auto ours = nft_->list_programs(table(), "ours");
  ASSERT_OK(ours);
  EXPECT_TRUE(program().same_effect(ours.value().at(0).program));
  EXPECT_EQ(ours.value()[0].comment, GetParam().rule.comment);
  EXPECT_EQ(ours.value()[0].program.target(), GetParam().rule.jump == "other" ? "other" : "");
}

TEST_P(Xtables, OutlivesASaveAndRestore) {
  net::NftBatch batch(table());
  batch.append_program("ours", program());
  ASSERT_OK(nft_->commit(batch, "write"));
  const std::string before = printed("ours");
  const bool ipv4 = GetParam().family == Family::kIpv4;
  must_run({"sh", "-c",
            ipv4 ? "saved=$(iptables-save); iptables -t nat -F; echo \"$saved\" | iptables-restore"
                 : "saved=$(ip6tables-save); ip6tables -t nat -F; echo \"$saved\" | ip6tables-restore"});
  EXPECT_EQ(printed("ours"), before);
}

INSTANTIATE_TEST_SUITE_P(Rules, Xtables, ::testing::ValuesIn(kCases),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(XtablesComparison, TellsOtherRulesApart) {
  const XtablesRule rule = {.protocol = IPPROTO_TCP, .comment = "c", .ports = {80, 81}, .jump = "x"};
  const auto differs = [&](const XtablesRule& other) {
    return !program_of(rule, Family::kIpv4).same_effect(program_of(other, Family::kIpv4));
  };
  EXPECT_FALSE(differs(rule));
  XtablesRule other = rule;
  other.ports = {80};
  EXPECT_TRUE(differs(other));
  other = rule;
  other.jump = "y";
  EXPECT_TRUE(differs(other));
  other = rule;
  other.comment = "d";
  EXPECT_TRUE(differs(other));
  other = rule;
  other.source = cidr("10.0.0.0/8");
  EXPECT_TRUE(differs(other));
}

}  // namespace
}  // namespace cnio::test
