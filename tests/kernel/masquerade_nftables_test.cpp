// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// The rule set that masquerading makes and takes away, judged by the nft program.
#include <gmock/gmock.h>

#include "masquerade_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Names as the reference hashes them: SHA-512 of "n", of "eth0:c1".
constexpr const char* kChainInTable = "att-917148ec47923f2e-f4d01f2ef4b92245";

std::string pod_address(int number) {
  return "10." + std::to_string(1 + number / 65536) + "." + std::to_string(number / 256 % 256) + "." +
         std::to_string(number % 256) + "/16";
}

class MasqueradeNftables : public MasqueradeTest {
 protected:
  static int elements() {
    int count = 0;
    for (const auto& text : nft_objects_with("\"map\"")) {
      const Json map = Json::parse(text)["map"];
      if (map.contains("elem")) count += static_cast<int>(map["elem"].size());
    }
    return count;
  }

  static size_t chains() { return nft_objects_with("\"chain\":{").size(); }
};

TEST_F(MasqueradeNftables, PrintsAsOneReadableTable) {
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"}, {"10.0.0.0/9", "fd00::/15"})));
  EXPECT_EQ(ruleset(), std::string(R"(table inet cnio_masquerade {
	comment "masquerading of pods, kept by the cnio CNI plugins: changes by hand are lost"
	map attachments4 {
		type ipv4_addr : verdict
		comment "source address : chain of the attachment that has it"
		elements = { 10.1.0.2 : goto )") +
                           kChainInTable + R"( }
	}

	map attachments6 {
		type ipv6_addr : verdict
		comment "source address : chain of the attachment that has it"
		elements = { fd00:1::2 : goto )" +
                           kChainInTable + R"( }
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr vmap @attachments4
		ip6 saddr vmap @attachments6
	}

	chain )" + kChainInTable +
                           R"( {
		comment "net: n, if: eth0, id: c1"
		ip saddr 10.1.0.2 ip daddr 10.1.0.0/24 return comment "own subnet"
		ip6 saddr fd00:1::2 ip6 daddr fd00:1::/64 return comment "own subnet"
		ip daddr 224.0.0.0/4 return comment "multicast"
		ip6 daddr ff00::/8 return comment "multicast"
		ip daddr 10.0.0.0/9 return comment "ipMasqExclude"
		ip6 daddr fd00::/15 return comment "ipMasqExclude"
		masquerade
	}
}
)");
}

TEST_F(MasqueradeNftables, PrintsWhatNftCanLoadAgain) {
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"}, {"0.0.0.0/0", "203.0.113.7/32"})));
  const std::string before = ruleset();
  must_run({"nft", "flush", "ruleset"});
  must_feed({"nft", "-f", "-"}, before);
  EXPECT_EQ(ruleset(), before);
  EXPECT_OK(check(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"}, {"0.0.0.0/0", "203.0.113.7/32"})));
}

TEST_F(MasqueradeNftables, NamesOfAnyKindStayPrintable) {
  auto what = spec(std::string(300, 'c'), {"10.1.0.2/24"});
  what.who.network = std::string(90, 'n');
  what.who.attachment.ifname = "a\"\\\xc3\xa4\x01\xff";
  ASSERT_OK(install(what));
  EXPECT_THAT(ruleset(), HasSubstr("comment \"net: " + std::string(90, 'n') + ", if: a??????, id: ccc"));
  must_feed({"nft", "-f", "-"}, ruleset());
  EXPECT_OK(remove(what.who));
  EXPECT_EQ(ruleset(), "");
}

TEST_F(MasqueradeNftables, InstallTwiceIsInstallOnce) {
  const auto what = spec("c1", {"10.1.0.2/24", "fd00:1::2/64"});
  ASSERT_OK(install(what));
  const std::string once = ruleset();
  ASSERT_OK(install(what));
  EXPECT_EQ(ruleset(), once);
}

TEST_F(MasqueradeNftables, SharedRulesThatSomebodyChangedAreMadeGood) {
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  const std::string before = ruleset();
  must_run({"nft", "insert", "rule", "inet", "cnio_masquerade", "postrouting", "accept"});
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  EXPECT_EQ(ruleset(), before);
  must_run({"nft", "flush", "chain", "inet", "cnio_masquerade", "postrouting"});
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  EXPECT_EQ(ruleset(), before);
}

TEST_F(MasqueradeNftables, NewAddressReplacesTheOldOfTheSameAttachment) {
  PARITY("T70");
  ASSERT_OK(install(spec("other", {"10.1.0.9/24"})));
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  ASSERT_OK(install(spec("c1", {"10.1.0.3/24"})));
  EXPECT_THAT(ruleset(), Not(HasSubstr("10.1.0.2")));
  EXPECT_THAT(ruleset(), Not(HasSubstr("fd00:1::2")));
  EXPECT_OK(check(spec("c1", {"10.1.0.3/24"})));
  EXPECT_OK(check(spec("other", {"10.1.0.9/24"})));
}

TEST_F(MasqueradeNftables, AddressOfAVanishedAttachmentIsTakenOver) {
  ASSERT_OK(install(spec("gone", {"10.1.0.2/24"})));
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  EXPECT_OK(check(spec("c1", {"10.1.0.2/24"})));
  // A late DEL of the former owner leaves the present one alone.
  ASSERT_OK(remove(identity("gone")));
  EXPECT_OK(check(spec("c1", {"10.1.0.2/24"})));
  EXPECT_EQ(elements(), 1);
}

TEST_F(MasqueradeNftables, RemoveTakesOnlyItsOwn) {
  PARITY("T69");
  ASSERT_OK(install(spec("c1", {"10.1.0.1/24"})));
  ASSERT_OK(install(spec("c2", {"10.1.0.2/24"})));
  const std::string two = ruleset();
  ASSERT_OK(install(spec("c3", {"10.1.0.3/24", "fd00:1::3/64"})));
  ASSERT_OK(remove(identity("c3")));
  EXPECT_EQ(ruleset(), two);
}

TEST_F(MasqueradeNftables, LastRemoveLeavesNothing) {
  PARITY("T71 D23");
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  ASSERT_OK(remove(identity("c1")));
  EXPECT_EQ(ruleset(), "");
}

TEST_F(MasqueradeNftables, TableWithSomebodyElsesChainStays) {
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  must_run({"nft", "add", "chain", "inet", "cnio_masquerade", "mine"});
  ASSERT_OK(remove(identity("c1")));
  EXPECT_THAT(ruleset(), HasSubstr("chain mine"));
  EXPECT_EQ(elements(), 0);
}

TEST_F(MasqueradeNftables, RemoveOfNothingIsSuccessAndCreatesNothing) {
  PARITY("T71 D23");
  EXPECT_OK(remove(identity("c1"), {"10.1.0.2"}));
  EXPECT_EQ(ruleset(), "");
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  EXPECT_OK(remove(identity("c2")));
  EXPECT_OK(remove(identity("c1")));
  EXPECT_OK(remove(identity("c1")));
}

TEST_F(MasqueradeNftables, RemoveNeedsNoProgram) {
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"}), "/nonexistent"));
  EXPECT_THAT(ruleset(), HasSubstr("10.1.0.2"));
  ASSERT_OK(remove(identity("c1"), {}, "/nonexistent"));
  EXPECT_EQ(ruleset(), "");
}

TEST_F(MasqueradeNftables, RemoveFindsElementsOfAChainThatSomebodyEmptied) {
  ASSERT_OK(install(spec("other", {"10.1.0.9/24"})));
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  must_run({"nft", "flush", "chain", "inet", "cnio_masquerade", kChainInTable});
  ASSERT_OK(remove(identity("c1")));
  EXPECT_THAT(ruleset(), Not(HasSubstr(kChainInTable)));
  EXPECT_OK(check(spec("other", {"10.1.0.9/24"})));
}

TEST_F(MasqueradeNftables, UndoRemovesWhatInstallMade) {
  PARITY("D16");
  ASSERT_OK(install(spec("other", {"10.1.0.9/24"})));
  const std::string before = ruleset();
  Rollback undo;
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"}), environment(), undo));
  EXPECT_NE(ruleset(), before);
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_EQ(ruleset(), before);
}

TEST_F(MasqueradeNftables, RehearsalShowsNowhere) {
  net::NftConnection nft = net::NftConnection::require("").value();
  const uint32_t before = nft.generation().value();
  ASSERT_OK(firewall::rehearse_masquerade(firewall::MasqueradeBackend::kNftables, environment()));
  EXPECT_EQ(nft.generation().value(), before) << "somebody who watches the rules would see it";
  EXPECT_EQ(ruleset(), "");
}

TEST_F(MasqueradeNftables, RehearsalOfWhatTheKernelRefusesIsAnErrorThatNamesTheStep) {
  net::NftBatch batch({net::NftFamily::kInet, "cnio_masquerade"});
  batch.ensure_table("");
  net::NftRule rule;
  rule.action = net::NftRule::Action::kMasquerade;
  batch.append_rule("missing", rule);
  EXPECT_ERROR(net::NftConnection::rehearse(batch, "try"), Code::kKernel, "missing");
}

TEST_F(MasqueradeNftables, CheckNamesWhatIsMissing) {
  PARITY("T61 D10");
  const auto what = spec("c1", {"10.1.0.2/24"}, {"192.0.2.0/24"});
  const auto expect_missing = [&](const char* text) { EXPECT_ERROR(check(what), Code::kCheckFailed, text); };
  expect_missing("chain postrouting");
  ASSERT_OK(install(what));
  ASSERT_OK(check(what));
  must_run({"nft", "flush", "chain", "inet", "cnio_masquerade", kChainInTable});
  expect_missing(kChainInTable);
  ASSERT_OK(install(what));
  must_run({"nft", "delete element inet cnio_masquerade attachments4 { 10.1.0.2 }"});
  expect_missing("10.1.0.2");
  ASSERT_OK(install(what));
  must_run({"nft", "flush", "chain", "inet", "cnio_masquerade", "postrouting"});
  expect_missing("attachments4");
  ASSERT_OK(install(what));
  EXPECT_FALSE(check(spec("c1", {"10.1.0.2/24"})).ok()) << "the exclusion is not in this configuration";
}

TEST_F(MasqueradeNftables, CollectRemovesWhatIsNotValidInThisNetworkAlone) {
  PARITY("T63 D1");
  ASSERT_OK(install(spec("valid", {"10.1.0.1/24"})));
  ASSERT_OK(install(spec("stale", {"10.1.0.2/24", "fd00:1::2/64"})));
  auto elsewhere = spec("stale", {"10.2.0.2/24"});
  elsewhere.who.network = "elsewhere";
  ASSERT_OK(install(elsewhere));
  ASSERT_OK(collect("n", {{"valid", "eth0"}, {"stale", "eth1"}}));
  EXPECT_OK(check(spec("valid", {"10.1.0.1/24"})));
  EXPECT_OK(check(elsewhere));
  EXPECT_EQ(elements(), 2);
  EXPECT_EQ(chains(), 3U);
  ASSERT_OK(collect("n", {}));
  ASSERT_OK(collect("elsewhere", {}));
  EXPECT_EQ(ruleset(), "");
}

TEST_F(MasqueradeNftables, ManyAtOnceAllWin) {
  constexpr int kProcesses = 20;
  constexpr int kEach = 5;
  const auto addresses = [](int i) {
    return std::vector<std::string>{pod_address(i), "fd00::" + std::to_string(i) + "/64"};
  };
  EXPECT_EQ(failures_of(kProcesses,
                        [&](int process) {
                          for (int i = 0; i < kEach; ++i) {
                            const int number = process * kEach + i;
                            if (!install(spec("c" + std::to_string(number), addresses(number))).ok()) return false;
                          }
                          return true;
                        }),
            0);
  EXPECT_EQ(elements(), 2 * kProcesses * kEach);
  EXPECT_EQ(nft_objects_with("\"chain\":\"postrouting\"").size(), 2U);
  for (int i = 0; i < kProcesses * kEach; ++i) EXPECT_OK(check(spec("c" + std::to_string(i), addresses(i))));
  EXPECT_EQ(failures_of(kProcesses,
                        [&](int process) {
                          for (int i = 0; i < kEach; ++i) {
                            if (!remove(identity("c" + std::to_string(process * kEach + i))).ok()) return false;
                          }
                          return true;
                        }),
            0);
  EXPECT_EQ(ruleset(), "");
}

TEST_F(MasqueradeNftables, ComingAndGoingAtOnceKeepsTheRestWhole) {
  ASSERT_OK(install(spec("stays", {"10.1.0.9/24"})));
  EXPECT_EQ(failures_of(20,
                        [](int process) {
                          // All processes fight for few addresses: takeovers, removals and the tables' birth and death.
                          const std::string container = "c" + std::to_string(process);
                          for (int i = 0; i < 10; ++i) {
                            if (!install(spec(container, {pod_address(process % 3)})).ok()) return false;
                            if (!remove(identity(container)).ok()) return false;
                          }
                          return true;
                        }),
            0);
  EXPECT_OK(check(spec("stays", {"10.1.0.9/24"})));
  EXPECT_EQ(elements(), 1);
  EXPECT_EQ(chains(), 2U);
}

TEST_F(MasqueradeNftables, ThousandAttachmentsAreOneLookUp) {
  for (int i = 0; i < 1000; ++i) ASSERT_OK(install(spec("c" + std::to_string(i), {pod_address(i)})));
  EXPECT_EQ(elements(), 1000);
  EXPECT_EQ(nft_objects_with("\"chain\":\"postrouting\"").size(), 2U);
  const std::string all = ruleset();
  ASSERT_OK(install(spec("one more", {"10.9.0.1/24"})));
  ASSERT_OK(remove(identity("one more")));
  EXPECT_EQ(ruleset(), all);
  ASSERT_OK(collect("n", {{"c7", "eth0"}}));
  EXPECT_EQ(elements(), 1);
  EXPECT_OK(check(spec("c7", {pod_address(7)})));
}

}  // namespace
}  // namespace cnio::test
