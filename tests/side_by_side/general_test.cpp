// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "plugin/configs.hpp"
#include "support/side_by_side.hpp"

namespace cnio::test {
namespace {

// What is taken out of every comparison must be real: a pod of both families, with and without a gateway.
TEST(GeneralDifferences, AreAllSeen) {
  PARITY("D37 D39 D41");
  const Case gateway{"Gateway", "", dual_stack_config(), "{}", {"ADD", "DEL"}};
  const Case plain{"Plain", "", bridge_config(), R"({"isDefaultGateway": false})", {"ADD", "DEL"}};
  const auto reference = play(gateway, Side::kReference);
  const auto ours = play(gateway, Side::kOurs);
  const auto plain_reference = play(plain, Side::kReference);
  const auto plain_ours = play(plain, Side::kOurs);
  for (const Difference& general : general_differences()) {
    EXPECT_TRUE(shows(general, reference, ours) || shows(general, plain_reference, plain_ours)) << general.reason;
  }
}

TEST(GeneralDifferences, OfPtpAreAllSeen) {
  PARITY("M10 M22");
  const Case dual{"Dual", "", dual_ptp_config(), "{}", {"ADD", "DEL"}};
  const auto reference = play(dual, Side::kReference);
  const auto ours = play(dual, Side::kOurs);
  for (const Difference& each : differences_of("ptp")) EXPECT_TRUE(shows(each, reference, ours)) << each.reason;
}

TEST(GeneralDifferences, OfTuningAreAllSeen) {
  PARITY("U10 U18");
  const Case mtu{"Mtu",
                 "",
                 chained_config("tuning", "1.0.0"),
                 R"({"mtu": 1400})",
                 {"$ ip link add v1 type veth peer name eth0 netns c1", "ADD", "DEL"}};
  const auto reference = play(mtu, Side::kReference);
  const auto ours = play(mtu, Side::kOurs);
  for (const Difference& each : differences_of("tuning")) EXPECT_TRUE(shows(each, reference, ours)) << each.reason;
}

// A comparison that sees nothing would pass everything.
TEST(GeneralDifferences, AnythingElseIsSeen) {
  const Case one{"One", "", bridge_config(), "{}", {"ADD", "DEL"}};
  const Case other{"Other", "", bridge_config(), R"({"mtu": 1400})", {"ADD", "DEL"}};
  const Case declared{"Declared", "", bridge_config(), "{}", {"ADD", "DEL"}, {{"no such line", "nothing"}}};
  const auto work = play(one, Side::kOurs);
  EXPECT_TRUE(same_work(one, work, work));
  EXPECT_FALSE(same_work(declared, work, work)) << "a declared difference has to show";
  EXPECT_FALSE(same_work(one, work, play(other, Side::kOurs))) << "the MTU differs";
  const Case refused{"Refused", "", bridge_config(), "{}", {"!ADD", "DEL"}};
  const auto unexpected = play(refused, Side::kOurs);
  EXPECT_FALSE(same_work(refused, unexpected, unexpected)) << "both succeed where the case says that they fail";
}

}  // namespace
}  // namespace cnio::test
