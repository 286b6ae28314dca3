// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What the reference left for an attachment: its rules are made here with the nft and iptables programs, in the form
// that it gives them.
#include <gmock/gmock.h>

#include "masquerade_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// SHA-512 of "n", of "eth0:c1", of "eth1:c1", of "nc1".
constexpr const char* kEth0 = "917148ec47923f2e-f4d01f2ef4b92245, net: n, if: eth0, id: c1";
constexpr const char* kEth1 = "917148ec47923f2e-ce22e8fef5c0a4f4, net: n, if: eth1, id: c1";
constexpr const char* kReferenceChain = "CNI-9b00b9b7c2795a8a61a6eec1";

enum class Tables { kNft, kLegacy };

std::ostream& operator<<(std::ostream& out, Tables tables) {
  return out << (tables == Tables::kNft ? "iptables-nft" : "iptables-legacy");
}

std::string program(Tables tables, const std::string& family) {
  return family + (tables == Tables::kNft ? "-nft" : "-legacy");
}

void iptables(Tables tables, std::vector<std::string> arguments, const std::string& family = "iptables") {
  arguments.insert(arguments.begin(), {program(tables, family), "-w", "-t", "nat"});
  must_run(arguments);
}

std::string saved(Tables tables, const std::string& family = "iptables") {
  return must_run({program(tables, family) + "-save", "-t", "nat"});
}

class MasqueradeLeftovers : public MasqueradeTest {
 protected:
  static void make_reference_table() {
    must_feed({"nft", "-f", "-"}, R"(
      table inet cni_plugins_masquerade {
        chain masq_checks { }
        chain postrouting {
          type nat hook postrouting priority srcnat
          ip daddr 224.0.0.0/4 return
          ip6 daddr ff00::/8 return
          goto masq_checks
        }
      })");
  }

  static void add_reference_rule(const std::string& comment, const std::string& address, const std::string& subnet) {
    const std::string ip = address.find(':') == std::string::npos ? "ip" : "ip6";
    must_feed({"nft", "-f", "-"}, "add rule inet cni_plugins_masquerade masq_checks " + ip + " saddr " + address + " " +
                                      ip + " daddr != " + subnet + " masquerade comment \"" + comment + "\"\n");
  }

  /// As the reference does it for one address.
  static void add_iptables_rules(Tables tables, const std::string& address, const std::string& container = "c1",
                                 const std::string& chain = kReferenceChain, const std::string& network = "n") {
    const bool ipv4 = address.find(':') == std::string::npos;
    const std::string family = ipv4 ? "iptables" : "ip6tables";
    const std::string text = "name: \"" + network + "\" id: \"" + container + "\"";
    if (saved(tables, family).find(":" + chain) == std::string::npos) {
      const std::string subnet = ipv4 ? "10.1.0.0/24" : "fd00:1::/64";
      iptables(tables, {"-N", chain}, family);
      iptables(tables, {"-A", chain, "-d", subnet, "-j", "ACCEPT", "-m", "comment", "--comment", text}, family);
      iptables(tables,
               {"-A", chain, "!", "-d", ipv4 ? "224.0.0.0/4" : "ff00::/8", "-j", "MASQUERADE", "-m", "comment",
                "--comment", text},
               family);
    }
    iptables(tables, {"-A", "POSTROUTING", "-s", address, "-j", chain, "-m", "comment", "--comment", text}, family);
  }
};

TEST_F(MasqueradeLeftovers, RemoveTakesTheNftRulesOfThisAttachmentOnly) {
  PARITY("T67 D19");
  make_reference_table();
  add_reference_rule(kEth1, "10.1.0.3", "10.1.0.0/24");
  const std::string before = ruleset();
  add_reference_rule(kEth0, "10.1.0.2", "10.1.0.0/24");
  add_reference_rule(kEth0, "fd00:1::2", "fd00:1::/64");
  ASSERT_OK(remove(identity("c1")));
  EXPECT_EQ(ruleset(), before);
}

TEST_F(MasqueradeLeftovers, CollectTakesTheNftRulesOfThisNetworkThatAreNotValid) {
  PARITY("T63 D1");
  make_reference_table();
  add_reference_rule(kEth1, "10.1.0.3", "10.1.0.0/24");
  add_reference_rule("917148ec47923f2f-f4d01f2ef4b92245, net: other, if: eth0, id: c1", "10.2.0.2", "10.2.0.0/24");
  const std::string before = ruleset();
  add_reference_rule(kEth0, "10.1.0.2", "10.1.0.0/24");
  ASSERT_OK(collect("n", {{"c1", "eth1"}}));
  EXPECT_EQ(ruleset(), before);
}

TEST_F(MasqueradeLeftovers, CheckAcceptsWhatTheReferenceMadeForTheSamePod) {
  make_reference_table();
  add_reference_rule(kEth0, "10.1.0.2", "10.1.0.0/24");
  EXPECT_OK(check(spec("c1", {"10.1.0.2/24"})));
  EXPECT_ERROR(check(spec("c1", {"10.1.0.9/24"})), Code::kCheckFailed);
  EXPECT_ERROR(check(spec("c1", {"10.1.0.2/24"}, {"192.0.2.0/24"})), Code::kCheckFailed);
  add_iptables_rules(Tables::kNft, "fd00:1::2");
  EXPECT_OK(check(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  EXPECT_ERROR(check(spec("c1", {"10.1.0.2/24", "fd00:1::3/64"})), Code::kCheckFailed);
}

class MasqueradeLeftoversOf : public MasqueradeLeftovers, public ::testing::WithParamInterface<Tables> {
 protected:
  /// Rules of others, which all tests expect to stay.
  void SetUp() override {
    iptables(GetParam(), {"-N", "CNI-somebody"});
    iptables(GetParam(), {"-A", "POSTROUTING", "-s", "10.9.0.0/16", "-j", "CNI-somebody"});
    iptables(GetParam(), {"-A", "POSTROUTING", "-s", "10.8.0.1", "-j", "MASQUERADE"});
    iptables(GetParam(), {"-L"}, "ip6tables");
  }

  static std::string rules(const std::string& family = "iptables") {
    return must_run({program(GetParam(), family), "-w", "-t", "nat", "-S"});
  }
};

TEST_P(MasqueradeLeftoversOf, RemoveTakesChainAndJumpsOfBothFamilies) {
  PARITY("T67 D18 D19 D20");
  const std::string before4 = rules();
  const std::string before6 = rules("ip6tables");
  add_iptables_rules(GetParam(), "10.1.0.2");
  add_iptables_rules(GetParam(), "fd00:1::2");
  ASSERT_NE(rules(), before4);
  ASSERT_OK(remove(identity("c1")));
  EXPECT_EQ(rules(), before4);
  EXPECT_EQ(rules("ip6tables"), before6);
}

TEST_P(MasqueradeLeftoversOf, KnownAddressesLeaveTheOtherInterfaceOfTheContainer) {
  PARITY("T68 D22");
  const std::string before = rules();
  add_iptables_rules(GetParam(), "10.1.0.2");
  const std::string with_eth0 = rules();
  add_iptables_rules(GetParam(), "10.1.0.3");
  ASSERT_OK(remove(identity("c1", "eth1"), {"10.1.0.3"}));
  EXPECT_EQ(rules(), with_eth0);
  ASSERT_OK(remove(identity("c1", "eth1"), {"10.1.0.3"}));
  EXPECT_EQ(rules(), with_eth0) << "a second DEL";
  ASSERT_OK(remove(identity("c1", "eth0"), {"10.1.0.2"}));
  EXPECT_EQ(rules(), before);
}

TEST_P(MasqueradeLeftoversOf, LinkLocalAddressAloneMeansThatNoneIsKnown) {
  PARITY("T54 D19");
  const std::string before = rules();
  add_iptables_rules(GetParam(), "10.1.0.2");
  ASSERT_OK(remove(identity("c1"), {"fe80::1234"}));
  EXPECT_EQ(rules(), before);
}

TEST_P(MasqueradeLeftoversOf, ChainOfTheSameNameOfAnotherNetworkStays) {
  PARITY("D22");
  // The hash is of network and container run together: "nc" and "1" look like "n" and "c1".
  add_iptables_rules(GetParam(), "10.1.0.2", "1", kReferenceChain, "nc");
  const std::string other = rules();
  add_iptables_rules(GetParam(), "10.1.0.3");
  ASSERT_OK(remove(identity("c1")));
  EXPECT_EQ(rules(), other);
  ASSERT_OK(collect("n", {}));
  EXPECT_EQ(rules(), other);
  ASSERT_OK(remove(identity("1", "eth0", "nc")));
  EXPECT_THAT(rules(), Not(HasSubstr(kReferenceChain)));
}

TEST_P(MasqueradeLeftoversOf, JumpInTheOldFormGoesToo) {
  const std::string before = rules();
  add_iptables_rules(GetParam(), "10.1.0.2/24");
  ASSERT_OK(remove(identity("c1"), {"10.1.0.2"}));
  EXPECT_EQ(rules(), before);
}

TEST_P(MasqueradeLeftoversOf, CollectTakesChainsOfThisNetworkThatAreNotValid) {
  PARITY("T63 D1");
  add_iptables_rules(GetParam(), "10.1.0.2");
  const std::string valid = rules();
  add_iptables_rules(GetParam(), "10.1.0.7", "gone", "CNI-0123456789abcdef01234567");
  ASSERT_NE(rules(), valid);
  ASSERT_OK(collect("n", {{"c1", "eth0"}}));
  EXPECT_EQ(rules(), valid);
  ASSERT_OK(collect("other", {}));
  EXPECT_EQ(rules(), valid);
  ASSERT_OK(collect("n", {}));
  EXPECT_THAT(rules(), Not(HasSubstr(kReferenceChain)));
  EXPECT_THAT(rules(), HasSubstr("CNI-somebody"));
}

TEST_P(MasqueradeLeftoversOf, TheProgramStillWorksOnTheTableAfterwards) {
  add_iptables_rules(GetParam(), "10.1.0.2");
  ASSERT_OK(remove(identity("c1")));
  iptables(GetParam(), {"-L", "-n", "-v"});
  iptables(GetParam(), {"-N", "NEW"});
  iptables(GetParam(), {"-I", "POSTROUTING", "-j", "NEW"});
  EXPECT_THAT(saved(GetParam()), HasSubstr("-A POSTROUTING -j NEW"));
  add_iptables_rules(GetParam(), "10.1.0.2");
  EXPECT_THAT(saved(GetParam()), HasSubstr(std::string("-A POSTROUTING -s 10.1.0.2/32")));
}

INSTANTIATE_TEST_SUITE_P(Iptables, MasqueradeLeftoversOf, ::testing::Values(Tables::kNft, Tables::kLegacy),
                         [](const auto& which) { return which.param == Tables::kNft ? "Nft" : "Legacy"; });

TEST_F(MasqueradeLeftovers, LegacyTablesOfSomebodyElsesProgramAreNoError) {
  iptables(Tables::kLegacy, {"-N", "KUBE"});
  EXPECT_OK(remove(identity("c1"), {}, "/nonexistent"));
}

TEST_F(MasqueradeLeftovers, IptablesNftNeedsNoProgram) {
  PARITY("T71");
  add_iptables_rules(Tables::kNft, "10.1.0.2");
  ASSERT_OK(remove(identity("c1"), {}, "/nonexistent"));
  EXPECT_THAT(saved(Tables::kNft), Not(HasSubstr(kReferenceChain)));
}

TEST_F(MasqueradeLeftovers, NoTableComesIntoBeing) {
  PARITY("T71 D23");
  ASSERT_OK(remove(identity("c1"), {"10.1.0.2", "fd00:1::2"}));
  ASSERT_OK(collect("n", {}));
  EXPECT_EQ(ruleset(), "");
  // Legacy tables, too, begin to exist when their program first looks at them.
  EXPECT_EQ(read_file("/proc/thread-self/net/ip_tables_names").find("nat"), std::string::npos);
  EXPECT_EQ(read_file("/proc/thread-self/net/ip6_tables_names").find("nat"), std::string::npos);
}

}  // namespace
}  // namespace cnio::test
