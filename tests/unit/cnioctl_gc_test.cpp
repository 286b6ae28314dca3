// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What a plan of `cnioctl gc` takes, and what never.
#include <algorithm>
#include <functional>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnioctl/gc_plan.hpp"
#include "support/matchers.hpp"

namespace cnio::cnioctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

FileFacts facts(const std::string& path) { return {"stamp of " + path, path.find("young") != std::string::npos}; }

Attached attached(const std::string& id, Life life, const std::string& network = "mynet") {
  Attached out{{network, {id, "eth0"}}};
  out.verdict = {life, "as the test says"};
  if (life == Life::kLive) out.evidence.present = true;
  return out;
}

HeldAddress held(const std::string& address, bool known_origin = true, const std::string& file = "f") {
  return {IpAddr::parse(address).value(), file, known_origin ? std::optional(ipam::Origin{}) : std::nullopt};
}

// One attachment more, whose existence says that pods can be seen.
World world_with(std::vector<Attached> all) {
  World world;
  world.host = 7;
  all.push_back(attached("witness", Life::kLive));
  world.attached = std::move(all);
  return world;
}

std::vector<std::string> ids(const GcPlan& plan) {
  std::vector<std::string> out;
  for (const Doomed& each : plan.remove) out.push_back(each.who.attachment.container_id);
  return out;
}

TEST(GcPlan, TakesWhatIsGone) {
  const World world = world_with({attached("a", Life::kLive), attached("b", Life::kGone),
                                  attached("c", Life::kRebooted), attached("d", Life::kUnknown)});
  const auto plan = plan_gc(world, {}, facts);
  ASSERT_OK(plan);
  EXPECT_THAT(ids(plan.value()), ::testing::ElementsAre("b", "c"));
  EXPECT_EQ(plan.value().live, 2U);
  EXPECT_EQ(plan.value().unknown, 1U);
}

TEST(GcPlan, BelievesARuntimeBeforeAllElse) {
  Attached young = attached("young", Life::kUnknown);
  young.addresses = {held("10.1.0.2", false, "young")};
  const World world = world_with({attached("gone", Life::kGone), attached("old", Life::kUnknown), young});
  GcChoice choice;
  choice.valid = {"gone"};
  const auto plan = plan_gc(world, choice, facts);
  ASSERT_OK(plan);
  EXPECT_THAT(ids(plan.value()), ::testing::ElementsAre("old"));
}

// The reference's may have been given since.
TEST(GcPlan, DoesNotTakeForRebootedWhatHasAnAddressOfUnknownOrigin) {
  Attached partly = attached("a", Life::kRebooted);
  partly.addresses = {held("10.1.0.2"), held("10.1.0.3", false)};
  const auto plan = plan_gc(world_with({partly}), {}, facts);
  ASSERT_OK(plan);
  EXPECT_THAT(plan.value().remove, IsEmpty());
}

// Its record is there, its cable not yet, and its address neither.
TEST(GcPlan, DoesNotTakeWhatMayBeStarting) {
  Attached starting = attached("a", Life::kGone);
  starting.pairs.emplace_back();
  const auto young = [](const std::string&) { return FileFacts{"stamp", true}; };
  const auto plan = plan_gc(world_with({starting}), {}, young);
  ASSERT_OK(plan);
  EXPECT_THAT(plan.value().remove, IsEmpty());
  starting.evidence.present = false;  // there is no sandbox that it could be started in
  EXPECT_THAT(plan_gc(world_with({starting}), {}, young).value().remove, SizeIs(1));
}

TEST(GcPlan, IsRefusedWhereNobodyIsSeen) {
  World world;
  world.attached = {attached("a", Life::kGone)};
  EXPECT_ERROR(plan_gc(world, {}, facts), Code::kTryAgain);
  GcChoice choice;
  choice.no_pods = true;
  EXPECT_OK(plan_gc(world, choice, facts));
  world.attached = {attached("a", Life::kRebooted)};  // that is certain
  EXPECT_OK(plan_gc(world, {}, facts));
}

TEST(GcPlan, IsRefusedWhereItCannotLook) {
  for (const char* where : {"links", "records"}) {
    World world = world_with({attached("a", Life::kGone)});
    world.blind.blind(where, Error::make(Code::kIo, "no rights"));
    EXPECT_ERROR(plan_gc(world, {}, facts), Code::kTryAgain) << where;
  }
  World world = world_with({attached("a", Life::kGone)});
  world.blind.blind("/var/lib/cni/results/x", Error::make(Code::kDecode, "torn"));
  EXPECT_OK(plan_gc(world, {}, facts));
}

// In a container of the host's network, whose /run/netns is its own.
TEST(GcPlan, IsRefusedWherePathsAreNotTheRuntimes) {
  World world = world_with({attached("a", Life::kGone)});
  for (Attached& each : world.attached) each.evidence.present = false;
  EXPECT_ERROR(plan_gc(world, {}, facts), Code::kTryAgain);
  world.attached.push_back(attached("z", Life::kLive));
  EXPECT_OK(plan_gc(world, {}, facts));
}

TEST(GcPlan, OfOneNetworkCountsThoseWhoLiveInOthers) {
  const World world = world_with({attached("a", Life::kGone, "other"), attached("b", Life::kGone)});
  GcChoice choice;
  choice.networks = {"other"};
  const auto plan = plan_gc(world, choice, facts);
  ASSERT_OK(plan);
  EXPECT_THAT(ids(plan.value()), ::testing::ElementsAre("a"));
}

Attached full(const std::string& id) {
  Attached out = attached(id, Life::kGone);
  out.addresses = {held("10.1.0.2")};
  attachment::RecordedPair pair;
  pair.host_name = "veth1";
  out.pairs = {pair};
  firewall::OwnedRules rules;
  rules.object = "att-1";
  rules.addresses = {IpAddr::parse("10.1.0.2").value()};
  out.rules = {rules};
  net::Link link;
  link.name = "veth1";
  link.index = net::IfIndex{7};
  out.host_ends = {link};
  out.cache_file = "cache";
  return out;
}

TEST(GcPlan, ComesBackFromItsFile) {
  World world = world_with({full("a"), attached("b\x1b\xff%41", Life::kRebooted)});
  GcChoice choice{{"mynet"}, std::set<std::string>{"x", "y"}, true, true};
  auto made = plan_gc(world, choice, facts);
  ASSERT_OK(made);
  made.value().made = 12;
  const auto read = parse_plan(format_plan(made.value()));
  ASSERT_OK(read);
  EXPECT_EQ(read.value().remove, made.value().remove);
  EXPECT_EQ(read.value().choice, choice);
  EXPECT_EQ(read.value().host, 7U);
  EXPECT_EQ(read.value().made, 12);
  EXPECT_OK(check_plan(read.value(), made.value()));
}

TEST(GcPlan, OfSomethingElseIsNone) {
  for (const char* text :
       {"", "[]", "{}", R"({"schema":"cnioctl/1"})", R"({"schema":"cnioctl/1","gc":{}})",
        R"({"schema":"cnioctl/2","gc":{"made":1,"host":1}})", R"({"schema":"cnioctl/1","gc":{"made":"x","host":1}})",
        R"({"schema":"cnioctl/1","gc":{"made":1,"host":1,"remove":[1]}})"}) {
    EXPECT_ERROR(parse_plan(text), Code::kDecode) << text;
  }
}

TEST(GcPlan, IsOutOfDateWithAnyChangeOfWhatItTakes) {
  const auto made = plan_gc(world_with({full("a")}), {}, facts);
  ASSERT_OK(made);
  const std::vector<std::function<void(Attached&)>> changes = {
      [](Attached& each) { each.verdict.life = Life::kLive; },
      [](Attached& each) { each.verdict.life = Life::kUnknown; },
      [](Attached& each) { each.addresses.clear(); },
      [](Attached& each) { each.addresses.push_back(held("10.1.0.3")); },
      [](Attached& each) { each.addresses.front().file = "other"; },
      [](Attached& each) { each.host_ends.front().index = net::IfIndex{8}; },
      [](Attached& each) { each.pairs.front().host_mac = MacAddr::random(); },
      [](Attached& each) { each.rules.front().addresses.clear(); },
      [](Attached& each) { each.cache_file.clear(); },
      [](Attached& each) { each.who.attachment.ifname = "net1"; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    World world = world_with({full("a"), full("later")});
    EXPECT_OK(check_plan(made.value(), plan_gc(world, {}, facts).value()));
    changes[i](world.attached.front());
    EXPECT_ERROR(check_plan(made.value(), plan_gc(world, {}, facts).value()), Code::kTryAgain) << i;
  }
  World world = world_with({full("a")});
  world.host = 8;
  EXPECT_ERROR(check_plan(made.value(), plan_gc(world, {}, facts).value()), Code::kTryAgain);
}

TEST(GcPlan, IsSaidWithoutControlCharacters) {
  Attached hostile = full("c\x1b[2J\n\x07");
  hostile.verdict.reason = "path \x1b is gone";
  hostile.host_ends.front().name = "v\reth";
  const auto plan = plan_gc(world_with({hostile}), {}, facts);
  ASSERT_OK(plan);
  const std::string text = plan_text(plan.value());
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\x07")), Not(HasSubstr("\r"))));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

// ---- worlds of chance, judged by what makes an attachment alive, whatever else there is of it

class Chance {
 public:
  explicit Chance(unsigned seed) : engine_(seed) {}
  bool maybe(int percent) { return static_cast<int>(engine_() % 100) < percent; }
  size_t below(size_t limit) { return engine_() % limit; }

  Evidence evidence() {
    Evidence out;
    if (maybe(70)) out.path = "/run/netns/" + std::to_string(below(50));
    if (!out.path.empty() && maybe(80)) out.present = maybe(50);
    out.earlier_boot = maybe(30);
    if (maybe(40)) out.host_end = "veth" + std::to_string(below(50));
    out.lacks_host_end = out.host_end.empty() && maybe(50);
    return out;
  }

 private:
  std::mt19937 engine_;
};

World random_world(Chance& chance) {
  World world;
  for (size_t i = 0; i < chance.below(30); ++i) {
    Attached each{{chance.maybe(50) ? "mynet" : "other", {std::to_string(i), "eth0"}}};
    each.evidence = chance.evidence();
    each.verdict = judge(each.evidence);
    for (size_t count = chance.below(3); count != 0; --count) {
      each.addresses.push_back(held("10.1.0." + std::to_string(1 + chance.below(250)), chance.maybe(70),
                                    chance.maybe(20) ? "young" : "old"));
    }
    world.attached.push_back(std::move(each));
  }
  return world;
}

bool is_alive(const Attached& each, const GcChoice& choice) {
  return each.evidence.present == true || !each.evidence.host_end.empty() ||
         (choice.valid && choice.valid->contains(each.who.attachment.container_id));
}

TEST(GcPlan, NeverTakesWhatIsAlive) {
  size_t taken = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Chance chance(seed);
    const World world = random_world(chance);
    GcChoice choice;
    choice.include_unknown = chance.maybe(30);
    choice.no_pods = chance.maybe(50);
    if (chance.maybe(50)) choice.networks = {"mynet"};
    if (chance.maybe(50)) choice.valid.emplace();
    for (const Attached& each : world.attached) {
      if (choice.valid && chance.maybe(30)) choice.valid->insert(each.who.attachment.container_id);
    }
    const auto plan = plan_gc(world, choice, facts);
    if (!plan.ok()) continue;
    taken += plan.value().remove.size();
    for (const Doomed& each : plan.value().remove) {
      const auto found = std::find_if(world.attached.begin(), world.attached.end(),
                                      [&](const Attached& other) { return other.who == each.who; });
      ASSERT_NE(found, world.attached.end());
      EXPECT_FALSE(is_alive(*found, choice)) << seed << " " << each.who.text() << ": " << each.reason;
      EXPECT_TRUE(choice.networks.empty() || each.who.network == "mynet") << seed;
    }
    EXPECT_OK(check_plan(plan.value(), plan_gc(world, choice, facts).value())) << seed;
  }
  EXPECT_GT(taken, 1000U);
}

// Between plan and act some come to life: then the plan is refused, for all of it.
TEST(GcPlan, IsRefusedIfOneOfItsOwnIsAliveByNow) {
  size_t refused = 0;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    Chance chance(seed);
    World world = random_world(chance);
    world.attached.push_back(attached("witness", Life::kLive));
    const auto plan = plan_gc(world, {}, facts);
    if (!plan.ok() || plan.value().remove.empty()) continue;
    const firewall::RuleOwner who = plan.value().remove[chance.below(plan.value().remove.size())].who;
    for (Attached& each : world.attached) {
      if (each.who != who) continue;
      each.evidence.host_end = "veth";
      each.verdict = judge(each.evidence);
    }
    EXPECT_ERROR(check_plan(plan.value(), plan_gc(world, {}, facts).value()), Code::kTryAgain) << seed;
    ++refused;
  }
  EXPECT_GT(refused, 300U);
}

}  // namespace
}  // namespace cnio::cnioctl
