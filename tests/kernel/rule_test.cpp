// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/rule.hpp"

#include <linux/rtnetlink.h>

#include "net_fixture.hpp"

namespace cnio::net {
namespace {

using ::testing::ElementsAre;

class RuleTest : public test::NetTest {
 protected:
  /// "10.1.0.2/32 100", or "all 254".
  std::vector<std::string> rules(Family family) {
    const auto listed = list_rules(route(), family);
    EXPECT_OK(listed);
    std::vector<std::string> out;
    for (const Rule& rule : listed.ok() ? listed.value() : std::vector<Rule>()) {
      out.push_back((rule.source ? rule.source->to_string() : "all") + " " + std::to_string(rule.table));
    }
    return out;
  }
};

TEST_F(RuleTest, ThoseByTheSourceAreListedInTheirOrder) {
  ip("rule add from 10.1.0.2 table 100 pref 7");
  ip("rule add from 10.2.0.0/16 table 70000 pref 5");
  ip("-6 rule add from fd01::2 table 100 pref 7");
  EXPECT_THAT(rules(Family::kIpv4),
              ElementsAre("all 255", "10.2.0.0/16 70000", "10.1.0.2/32 100", "all 254", "all 253"));
  EXPECT_THAT(rules(Family::kIpv6), ElementsAre("all 255", "fd01::2/128 100", "all 254"));
}

TEST_F(RuleTest, ThoseThatLookAtMoreAreLeftOut) {
  const auto before = rules(Family::kIpv4);
  for (const char* more :
       {"to 10.9.0.0/16", "fwmark 1", "iif lo", "oif lo", "tos 8", "ipproto 6", "dport 80", "uidrange 0-9"}) {
    ip("rule add from 10.1.0.2 " + std::string(more) + " table 100");
  }
  ip("rule add not from 10.1.0.2 table 100");
  ip("rule add from 10.1.0.2 table 100 suppress_prefixlength 0");
  ip("rule add from 10.1.0.2 prohibit");
  EXPECT_EQ(rules(Family::kIpv4), before);
}

}  // namespace
}  // namespace cnio::net
