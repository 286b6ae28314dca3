// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What cnioctl makes of what it finds on a node.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnio/attachment/identity.hpp"

#include "cnioctl/world/assembly.hpp"
#include "cnioctl/world/base64.hpp"
#include "cnioctl/world/cache.hpp"
#include "cnioctl/world/life.hpp"
#include "support/matchers.hpp"
#include "support/temp_folder.hpp"

namespace cnio::cnioctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const firewall::RuleOwner kOne = {"mynet", {"c1", "eth0"}};
const firewall::RuleOwner kTwo = {"mynet", {"c1", "net1"}};

net::Link veth(int index, const firewall::RuleOwner& owner) {
  net::Link link;
  link.index = net::IfIndex{index};
  link.kind = "veth";
  link.name = "veth" + std::to_string(index);
  link.alias = attachment::host_end_alias(owner.network, owner.attachment);
  link.peer_namespace = 1;
  return link;
}

TEST(Base64, IsWhatGoWrites) {
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("eyJhIjoxfQ=="), "{\"a\":1}");
  EXPECT_EQ(decode_base64("eyJhIjoxMn0K"), "{\"a\":12}\n");
  EXPECT_EQ(decode_base64("++//"), "\xfb\xef\xff");
  for (const char* text : {"e", "eyJh=", "ey h", "====", "e==="}) EXPECT_EQ(decode_base64(text), std::nullopt) << text;
}

TEST(CachedAdd, HasWhatTheRuntimeSaid) {
  const auto cached = parse_cached(
      R"({"kind":"cniCacheV1","containerId":"c1","config":"eyJhIjoxfQ==","ifName":"eth0","networkName":"mynet",
          "cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","default"],["K8S_POD_NAME","web"]],
          "capabilityArgs":{"portMappings":[]},
          "result":{"interfaces":[{"name":"veth1"},{"name":"eth0","sandbox":"/run/netns/a"}]}})");
  ASSERT_OK(cached);
  EXPECT_EQ(cached.value().who, kOne);
  EXPECT_EQ(cached.value().pod, "default/web");
  EXPECT_EQ(cached.value().netns, "/run/netns/a");
  EXPECT_EQ(cached.value().config, "{\"a\":1}");
  EXPECT_EQ(cached.value().cni_args, "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web");
  EXPECT_TRUE(cached.value().capability_args.contains("portMappings"));
}

TEST(CachedAdd, OfAnythingElseIsAnError) {
  for (const char* text : {"", "[]", "{", "{}", R"({"networkName":"n"})", R"({"networkName":1,"containerId":"c"})"}) {
    EXPECT_ERROR(parse_cached(text), Code::kDecode) << text;
  }
  const auto odd = parse_cached(
      R"({"networkName":"n","containerId":"c","cniArgs":[1,["a"],["K8S_POD_NAME",2]],"config":"!","result":[]})");
  ASSERT_OK(odd);
  EXPECT_EQ(odd.value().pod + odd.value().config + odd.value().cni_args, "");
}

struct LifeCase {
  Evidence evidence;
  Life life;
};

TEST(Judge, TakesTheFirstThatFits) {
  const std::string path = "/run/netns/a";
  for (const LifeCase& each : {
           LifeCase{{path, true}, Life::kLive},
           LifeCase{{path, false, false, "veth1"}, Life::kLive},
           LifeCase{{"", {}, true, "veth1"}, Life::kLive},
           LifeCase{{path, true, true}, Life::kLive},
           LifeCase{{"", {}, true}, Life::kRebooted},
           LifeCase{{path, false}, Life::kGone},
           LifeCase{{"", {}, false, "", true}, Life::kGone},
           LifeCase{{path, {}}, Life::kUnknown},
           LifeCase{{}, Life::kUnknown},
       }) {
    const Verdict verdict = judge(each.evidence);
    EXPECT_EQ(verdict.life, each.life) << verdict.reason;
    EXPECT_FALSE(verdict.reason.empty());
  }
}

TEST(Assembly, PutsTogetherWhatIsOfOneAttachment) {
  Assembly assembly;
  assembly.add_links({veth(7, kOne), veth(8, kTwo)});
  attachment::RecordedPair pair;
  pair.network = kOne.network;
  pair.attachment = kOne.attachment;
  pair.host_index = net::IfIndex{7};
  pair.host_name = "veth7";
  assembly.add_pairs({pair});
  assembly.add_address(kOne, {IpAddr::parse("10.1.0.2").value(), "f", {}});
  firewall::OwnedRules rules;
  rules.owner = kOne;
  assembly.add_rules({rules});
  const World world = assembly.finish();
  ASSERT_THAT(world.attached, SizeIs(2));
  const Attached* one = world.find(kOne);
  ASSERT_NE(one, nullptr);
  EXPECT_THAT(one->host_ends, SizeIs(1));
  EXPECT_THAT(one->pairs, SizeIs(1));
  EXPECT_THAT(one->addresses, SizeIs(1));
  EXPECT_THAT(one->rules, SizeIs(1));
  EXPECT_EQ(world.find({"mynet", {"c1", ""}}), nullptr);
}

// A link that has the number of one that is gone is another's.
TEST(Assembly, BelievesARecordOnlyOfItsOwnLink) {
  Assembly assembly;
  net::Link other = veth(7, kTwo);
  assembly.add_links({other});
  attachment::RecordedPair pair;
  pair.network = kOne.network;
  pair.attachment = kOne.attachment;
  pair.host_index = net::IfIndex{7};
  pair.sandbox_index = net::IfIndex{99};
  pair.host_name = "veth-other";
  pair.host_mac = MacAddr::parse("0e:00:00:00:00:01").value();
  assembly.add_pairs({pair});
  const World world = assembly.finish();
  EXPECT_THAT(world.find(kOne)->host_ends, IsEmpty());
  EXPECT_THAT(world.find(kTwo)->host_ends, SizeIs(1));
}

// Reservations of before the interface was written down.
TEST(Assembly, GivesTheOldFormatToTheOneInterface) {
  const firewall::RuleOwner old = {"mynet", {"c1", ""}};
  const HeldAddress address = {IpAddr::parse("10.1.0.2").value(), "f", {}};
  for (const bool both : {false, true}) {
    Assembly assembly;
    assembly.add_address(old, address);
    assembly.of(kOne);
    if (both) assembly.of(kTwo);
    const World world = assembly.finish();
    EXPECT_EQ(world.find(old) != nullptr, both);
    EXPECT_THAT(world.find(kOne)->addresses, SizeIs(both ? 0 : 1));
  }
}

// Whose text was cut, or does not fit its hash, is found by the hash or by nobody.
TEST(Assembly, GivesRulesByTheirHash) {
  firewall::OwnedRules rules;
  rules.hash = firewall::owner_hash(kOne);
  firewall::OwnedRules others;
  others.hash = firewall::owner_hash(kTwo);
  Assembly assembly;
  assembly.of(kOne);
  assembly.add_rules({rules, others});
  const World world = assembly.finish();
  EXPECT_THAT(world.find(kOne)->rules, SizeIs(1));
  EXPECT_THAT(world.rules, SizeIs(1));
}

TEST(Assembly, NamesMarkedLinksThatDoNotSayWhoseTheyAre) {
  net::Link cut = veth(7, {std::string(300, 'n'), {"c1", "eth0"}});
  net::Link gateway = veth(8, kOne);
  gateway.alias = "cnio gateway of cni0.5";
  net::Link other = veth(9, kOne);
  other.alias = "somebody's";
  Assembly assembly;
  assembly.add_links({cut, gateway, other});
  const World world = assembly.finish();
  ASSERT_THAT(world.unsaid, SizeIs(1));
  EXPECT_EQ(world.unsaid[0].name, cut.name);
  EXPECT_THAT(world.attached, IsEmpty());
}

}  // namespace
}  // namespace cnio::cnioctl
