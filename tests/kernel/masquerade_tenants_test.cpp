// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// One address in several networks (tenants on bridges of their own), and what removal tells of the addresses.
#include <algorithm>

#include <gmock/gmock.h>

#include "masquerade_fixture.hpp"

namespace cnio::test {
namespace {

using firewall::MasqueradeRecord;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

const std::vector<std::string> kAddresses = {"10.1.0.2/24", "fd00:1::2/64"};

class MasqueradeTenants : public MasqueradeTest {
 protected:
  static firewall::MasqueradeSpec tenant(int number, const std::vector<std::string>& addresses = kAddresses) {
    firewall::MasqueradeSpec out = spec("c" + std::to_string(number), addresses);
    out.who.network = "tenant" + std::to_string(number);
    return out;
  }

  static MasqueradeRecord removed(const firewall::MasqueradeIdentity& who, const std::vector<std::string>& known = {}) {
    std::vector<IpAddr> addresses;
    for (const auto& text : known) addresses.push_back(IpAddr::parse(text).value());
    std::optional<net::NftConnection> nft = net::NftConnection::open().value();
    MasqueradeRecord record;
    EXPECT_OK(firewall::remove_masquerade(nft, who, addresses, environment(), &record));
    return record;
  }

  static IpAddr ip(const char* text) { return IpAddr::parse(text).value(); }
};

TEST_F(MasqueradeTenants, NothingIsLostAndNothingIsLeftInAnyOrder) {
  FAULT("B8 tenants");
  std::vector<int> coming = {0, 1, 2};
  do {
    std::vector<int> going = {0, 1, 2};
    do {
      for (const int who : coming) ASSERT_OK(install(tenant(who)));
      std::vector<int> alive = going;
      for (const int who : going) {
        for (const int each : alive) EXPECT_OK(check(tenant(each)));
        ASSERT_OK(remove(tenant(who).who));
        alive.erase(alive.begin());
      }
      ASSERT_EQ(ruleset(), "");
    } while (std::next_permutation(going.begin(), going.end()));
  } while (std::next_permutation(coming.begin(), coming.end()));
}

TEST_F(MasqueradeTenants, AnAddThatIsRepeatedChangesNothingForTheOthers) {
  FAULT("B8 tenants");
  for (const int holder : {0, 1, 2}) {
    for (const int who : {0, 1, 2}) ASSERT_OK(install(tenant(who)));
    ASSERT_OK(install(tenant(holder)));
    ASSERT_OK(install(tenant(holder))) << "which has it already";
    ASSERT_OK(remove(tenant(holder).who));
    for (const int who : {0, 1, 2}) {
      if (who == holder) continue;
      EXPECT_OK(check(tenant(who)));
    }
    for (const int who : {2, 0, 1}) ASSERT_OK(remove(tenant(who).who));
    ASSERT_EQ(ruleset(), "");
  }
}

TEST_F(MasqueradeTenants, AnAddressThatIsGivenUpGoesToTheOther) {
  FAULT("B8 tenants");
  ASSERT_OK(install(tenant(0)));
  ASSERT_OK(install(tenant(1)));
  ASSERT_OK(install(tenant(1, {"10.1.0.3/24"})));
  EXPECT_OK(check(tenant(0)));
  EXPECT_OK(check(tenant(1, {"10.1.0.3/24"})));
}

TEST_F(MasqueradeTenants, GarbageCollectionOfOneNetworkKeepsTheOther) {
  FAULT("B8 tenants");
  for (const int stale : {0, 1}) {
    ASSERT_OK(install(tenant(0)));
    ASSERT_OK(install(tenant(1)));
    ASSERT_OK(collect("tenant" + std::to_string(stale), {}));
    EXPECT_OK(check(tenant(1 - stale)));
    ASSERT_OK(collect("tenant" + std::to_string(1 - stale), {}));
    EXPECT_EQ(ruleset(), "");
  }
}

TEST_F(MasqueradeTenants, AnAddThatFailsLaterGivesBackWhatItTook) {
  FAULT("B8 tenants");
  ASSERT_OK(install(tenant(0)));
  const std::string before = ruleset();
  Rollback undo;
  ASSERT_OK(install(tenant(1), environment(), undo));
  EXPECT_THAT(undo.run(), IsEmpty());
  EXPECT_EQ(ruleset(), before);
}

TEST_F(MasqueradeTenants, CheckFindsAnotherTreatment) {
  FAULT("B8 tenants");
  ASSERT_OK(install(tenant(0)));
  auto other = tenant(1);
  other.exclude = {Cidr::parse("192.0.2.0/24").value()};
  ASSERT_OK(install(other));
  EXPECT_ERROR(check(tenant(0)), Code::kCheckFailed, "whose rules are others");
  ASSERT_OK(remove(other.who));
  EXPECT_OK(check(tenant(0)));
}

TEST_F(MasqueradeTenants, ChainsFromBeforeTheRemarkAreNotForgotten) {
  FAULT("B8 tenants");
  // Two whose rules do not say that one took the address from the other, as earlier versions made them.
  ASSERT_OK(install(tenant(0)));
  ASSERT_OK(install(tenant(1)));
  std::string old = ruleset();
  for (size_t at = 0; (at = old.find(", taken over")) != std::string::npos;) old.erase(at, 12);
  must_run({"nft", "flush", "ruleset"});
  must_feed({"nft", "-f", "-"}, old);
  ASSERT_OK(install(tenant(2)));
  ASSERT_OK(remove(tenant(2).who));
  EXPECT_OK(check(tenant(0)));
  EXPECT_OK(check(tenant(1)));
  ASSERT_OK(remove(tenant(1).who));
  EXPECT_OK(check(tenant(0)));
  ASSERT_OK(remove(tenant(0).who));
  EXPECT_EQ(ruleset(), "");
}

TEST_F(MasqueradeTenants, AChainThatSomebodyEmptiedStillGivesBack) {
  FAULT("B8 tenants");
  ASSERT_OK(install(tenant(0)));
  ASSERT_OK(install(tenant(1)));
  const std::string all = ruleset();
  const size_t chain = all.rfind("chain att-") + 6;
  must_run({"nft", "flush", "chain", "inet", "cnio_masquerade", all.substr(chain, all.find(' ', chain) - chain)});
  ASSERT_OK(remove(tenant(1).who));
  EXPECT_OK(check(tenant(0)));
}

TEST_F(MasqueradeTenants, AddressesWithTwoPrefixesAreOne) {
  FAULT("B8 tenants");
  for (const int who : {0, 1, 2}) ASSERT_OK(install(tenant(who, {"10.1.0.2/24", "10.1.0.2/16"})));
  for (const int who : {1, 2, 0}) ASSERT_OK(remove(tenant(who).who));
  EXPECT_EQ(ruleset(), "");
}

TEST_F(MasqueradeTenants, RemovalTellsTheAddresses) {
  FAULT("A2 record");
  ASSERT_OK(install(tenant(0)));
  const MasqueradeRecord record = removed(tenant(0).who);
  EXPECT_THAT(record.addresses, UnorderedElementsAre(ip("10.1.0.2"), ip("fd00:1::2")));
  EXPECT_THAT(record.of_others, IsEmpty());
  EXPECT_THAT(removed(tenant(0).who).addresses, IsEmpty()) << "nothing is left to tell";
}

TEST_F(MasqueradeTenants, RemovalTellsWhichAddressesAreOfOthers) {
  FAULT("A2 record");
  // The former owner's late DEL.
  ASSERT_OK(install(tenant(0)));
  ASSERT_OK(install(tenant(1, {"10.1.0.2/24"})));
  MasqueradeRecord record = removed(tenant(0).who);
  EXPECT_THAT(record.addresses, UnorderedElementsAre(ip("10.1.0.2"), ip("fd00:1::2")));
  EXPECT_THAT(record.of_others, ElementsAre(ip("10.1.0.2")));
  // The present owner's, of whose addresses one goes back.
  ASSERT_OK(install(tenant(0)));
  ASSERT_OK(install(tenant(2)));
  record = removed(tenant(2).who);
  EXPECT_THAT(record.of_others, UnorderedElementsAre(ip("10.1.0.2"), ip("fd00:1::2")));
}

TEST_F(MasqueradeTenants, OwnedByOtherLooksAtTheMap) {
  FAULT("A2 record");
  std::optional<net::NftConnection> nft = net::NftConnection::open().value();
  EXPECT_FALSE(firewall::owned_by_other(*nft, tenant(0).who, ip("10.1.0.2")).value());
  ASSERT_OK(install(tenant(0)));
  EXPECT_FALSE(firewall::owned_by_other(*nft, tenant(0).who, ip("10.1.0.2")).value());
  EXPECT_TRUE(firewall::owned_by_other(*nft, tenant(1).who, ip("10.1.0.2")).value());
  EXPECT_FALSE(firewall::owned_by_other(*nft, tenant(1).who, ip("10.1.0.3")).value());
}

TEST_F(MasqueradeTenants, TheReferencesRulesTellTheAddressesToo) {
  FAULT("A2 record");
  const std::string mine = "917148ec47923f2e-f4d01f2ef4b92245, net: n, if: eth0, id: c1";
  must_feed({"nft", "-f", "-"}, R"(table inet cni_plugins_masquerade { chain masq_checks {
    ip saddr 10.1.0.2 ip daddr != 10.1.0.0/24 masquerade comment ")" +
                                    mine + R"("
    ip6 saddr fd00:1::2 ip6 daddr != fd00:1::/64 masquerade comment ")" +
                                    mine +
                                    R"("
    ip saddr 10.1.0.2 ip daddr != 10.1.0.0/24 masquerade comment "0123456789abcdef-0123456789abcdef, another"
  }
}
)");
  const MasqueradeRecord record = removed(identity("c1"));
  EXPECT_THAT(record.addresses, UnorderedElementsAre(ip("10.1.0.2"), ip("fd00:1::2")));
  EXPECT_THAT(record.of_others, ElementsAre(ip("10.1.0.2")));
}

TEST_F(MasqueradeTenants, TheIptablesFormTellsTheAddressesToo) {
  FAULT("A2 record");
  auto what = tenant(0, {"10.1.0.2/24", "10.1.0.3/24"});
  what.backend = firewall::MasqueradeBackend::kIptables;
  auto other = tenant(1, {"10.1.0.3/24"});
  other.backend = what.backend;
  ASSERT_OK(install(what));
  ASSERT_OK(install(other));
  const MasqueradeRecord record = removed(what.who);
  EXPECT_THAT(record.addresses, UnorderedElementsAre(ip("10.1.0.2"), ip("10.1.0.3")));
  EXPECT_THAT(record.of_others, ElementsAre(ip("10.1.0.3")));
}

}  // namespace
}  // namespace cnio::test
