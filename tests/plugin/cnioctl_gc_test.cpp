// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// `cnioctl gc`: what lost pods hold goes, by a plan; nothing alive is ever taken.
#include <fstream>
#include <thread>

#include "plugin/cnioctl_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CnioctlGc : public CnioctlTest {
 protected:
  static std::string doomed() {
    std::string out;
    const Json file = plan_file();
    for (const Json& each : file.at("remove"))
      out += (out.empty() ? "" : " ") + each.at("container").get<std::string>();
    return out;
  }
  static constexpr int kStale = 4;
};

TEST_F(CnioctlGc, RemovesAllThatALostPodHolds) {
  const Pod living = add_pod(full_list(), "living", 8001);
  add_pod(full_list(), "lost", 8002);
  lose("lost");
  const Outcome dry = plan();
  EXPECT_EQ(dry.exit_code, 1) << describe(dry);
  EXPECT_THAT(dry.out, AllOf(HasSubstr("default/pod-lost"), HasSubstr("gone: /run/netns/lost"), HasSubstr("10.1.0.3"),
                             HasSubstr("masquerade "), HasSubstr("port-map "), Not(HasSubstr("pod-living"))));
  EXPECT_TRUE(store_holds("10.1.0.3"));
  const Outcome outcome = apply();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  expect_nothing_of("lost", "10.1.0.3");
  EXPECT_TRUE(nft_objects_with("8002").empty());
  EXPECT_FALSE(std::filesystem::exists(cache_file(full_list(), "lost")));
  EXPECT_EQ(records(), 1U);
  EXPECT_TRUE(checks(living, 8001));
  EXPECT_EQ(plan().exit_code, 0);
}

TEST_F(CnioctlGc, FindsNetworksThatNoFileNamesAnyMore) {
  add_pod(list_of({full_config()}), "living");
  Json renamed = full_config();
  renamed["ipam"] = host_local_ipam({"10.9.0.0/24"});
  renamed["bridge"] = "br9";
  add_pod(list_of({renamed}, "former"), "c1", 0, false);
  add_pod(list_of({renamed}, "former"), "c2");
  lose("c1");
  lose("c2");
  EXPECT_EQ(plan().exit_code, 1);
  EXPECT_EQ(doomed(), "c1 c2");
  const Outcome outcome = apply();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  expect_nothing_of("c1", "10.9.0.2", "former");
  expect_nothing_of("c2", "10.9.0.3", "former");
}

TEST_F(CnioctlGc, FindsTheRestWithoutRecordsAndCache) {
  add_pod(full_list(), "living", 8001);
  add_pod(full_list(), "lost", 8002, false);
  lose("lost");
  std::filesystem::remove_all("/run/cnio");
  EXPECT_EQ(plan().exit_code, 1);
  EXPECT_EQ(doomed(), "lost");
  const Outcome outcome = apply();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  expect_nothing_of("lost", "10.1.0.3");
  EXPECT_TRUE(nft_objects_with("8002").empty());
}

TEST_F(CnioctlGc, RefusesAPlanOfWhatLivesAgain) {
  add_pod(full_list(), "living", 8001);
  add_pod(list_of({full_config()}), "c1");
  lose("c1");
  EXPECT_EQ(plan().exit_code, 1);
  must_del(full_config(), nowhere({"c1", "", "eth0", ""}));
  const Pod again = add_pod(list_of({full_config()}), "c1");
  const Outcome outcome = apply();
  EXPECT_EQ(outcome.exit_code, kStale) << describe(outcome);
  EXPECT_THAT(outcome.err, HasSubstr("out of date"));
  EXPECT_TRUE(checks(again));
}

TEST_F(CnioctlGc, RefusesAPlanOfWhatHasChanged) {
  add_pod(full_list(), "living", 8001);
  add_pod(full_list(), "lost", 8002);
  lose("lost");
  EXPECT_EQ(plan().exit_code, 1);
  write_file("/var/lib/cni/networks/net/10.1.0.3", "lost\r\neth0");  // another file of the same content
  const Outcome outcome = apply();
  EXPECT_EQ(outcome.exit_code, kStale) << describe(outcome);
  EXPECT_TRUE(store_holds("10.1.0.3"));
}

TEST_F(CnioctlGc, TakesNoPodThatStartedAfterThePlan) {
  add_pod(full_list(), "living", 8001);
  add_pod(full_list(), "lost", 8002);
  lose("lost");
  EXPECT_EQ(plan().exit_code, 1);
  const Pod later = add_pod(full_list(), "later", 8003);
  EXPECT_EQ(apply().exit_code, 0);
  EXPECT_TRUE(checks(later, 8003));
  expect_nothing_of("lost", "10.1.0.3");
}

TEST_F(CnioctlGc, DoesNothingWhereNoPodIsAlive) {
  add_pod(full_list(), "c1", 8001);
  lose("c1");
  const Outcome refused = plan();
  EXPECT_EQ(refused.exit_code, 3) << describe(refused);
  EXPECT_THAT(refused.err, HasSubstr("no pod is alive"));
  EXPECT_EQ(plan({"--no-pods"}).exit_code, 1);
  EXPECT_EQ(apply().exit_code, 0);
  expect_nothing_of("c1", "10.1.0.2");
}

TEST_F(CnioctlGc, LeavesWhatNothingTellsOf) {
  add_pod(full_list(), "living", 8001);
  write_file("/var/lib/cni/networks/net/10.1.0.77", "unknown\r\neth0");
  write_file("/var/lib/cni/networks/net/10.1.0.78", "");
  std::filesystem::create_directory("/var/lib/cni/networks/net/10.1.0.79");
  const Outcome outcome = plan();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_THAT(outcome.out, HasSubstr("1 alive, 1 unknown and 2 foreign files stay"));
  EXPECT_EQ(plan({"--include-unknown"}).exit_code, 1);
  EXPECT_EQ(doomed(), "unknown");
  EXPECT_EQ(apply().exit_code, 0);
  EXPECT_FALSE(store_holds("10.1.0.77"));
  EXPECT_TRUE(store_holds("10.1.0.79"));
}

TEST_F(CnioctlGc, BelievesTheRuntime) {
  add_pod(full_list(), "living", 8001);
  add_pod(full_list(), "lost", 8002);
  lose("lost");
  for (const char* id : {"stopped", "old"}) {
    write_file(std::string("/var/lib/cni/networks/net/10.1.0.") + (*id == 's' ? "77" : "78"),
               std::string(id) + "\r\neth0");
  }
  must_run({"touch", "-d", "1 hour ago", "/var/lib/cni/networks/net/10.1.0.77", "/var/lib/cni/networks/net/10.1.0.78"});
  write_file("/var/lib/cni/networks/net/10.1.0.79", "new\r\neth0");
  write_file("/run/valid", "living\nstopped\nlost\n");
  EXPECT_EQ(plan({"--valid", "/run/valid"}).exit_code, 1);
  EXPECT_EQ(doomed(), "old");
}

TEST_F(CnioctlGc, OfOneNetworkLeavesOthersAlone) {
  add_pod(full_list(), "living", 8001);
  Json other = full_config();
  other["ipam"] = host_local_ipam({"10.2.0.0/24"});
  other["bridge"] = "br1";
  add_pod(list_of({other}, "othernet"), "c1");
  add_pod(full_list(), "c2", 8002);
  lose("c1");
  lose("c2");
  EXPECT_EQ(plan({"--network", "othernet"}).exit_code, 1);
  EXPECT_EQ(doomed(), "c1");
  EXPECT_EQ(apply().exit_code, 0);
  EXPECT_FALSE(store_holds("10.2.0.2", "othernet"));
  EXPECT_TRUE(store_holds("10.1.0.3"));
}

TEST_F(CnioctlGc, SaysWhatCouldNotGo) {
  add_pod(full_list(), "living", 8001);
  add_pod(full_list(), "lost", 8002);
  lose("lost");
  EXPECT_EQ(plan().exit_code, 1);
  const Outcome outcome = cnioctl({"gc", "--apply", kPlan, "--bin", make_folder("empty")});
  EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\"bridge\" is not in"), HasSubstr("[not-removed]")));
  EXPECT_TRUE(store_holds("10.1.0.3"));
  EXPECT_TRUE(std::filesystem::exists(cache_file(full_list(), "lost")));
}

// While pods come and go by their runtime, each of those that live keeps all that it has.
TEST_F(CnioctlGc, WorksWhilePodsComeAndGo) {
  const Json list = list_of({full_config()});
  add_pod(list, "living");
  for (int number = 0; number < 12; ++number) {
    add_pod(list, "lost" + std::to_string(number));
    delete_netns("lost" + std::to_string(number));
  }
  std::vector<Pod> pods;
  std::thread runtime([&] {
    for (int number = 0; number < 15; ++number) pods.push_back(add_pod(list, "new" + std::to_string(number)));
  });
  (void)plan();
  (void)apply();
  runtime.join();
  for (const Pod& each : pods) EXPECT_TRUE(checks(each)) << each.attachment.container;
  (void)plan();
  EXPECT_THAT(apply().exit_code, 0);
  for (const Pod& each : pods) EXPECT_TRUE(checks(each)) << each.attachment.container;
  EXPECT_EQ(records(), pods.size() + 1);
}

TEST_F(CnioctlGc, RefusesWhatIsNoPlan) {
  for (const char* text :
       {"", "[]", "{}", R"({"schema": "cnioctl/2", "gc": {}})", R"({"schema": "cnioctl/1", "gc": {}})"}) {
    write_file(kPlan, text);
    EXPECT_EQ(apply().exit_code, 2) << text;
  }
  EXPECT_EQ(act({"gc"}).exit_code, 2);
  EXPECT_EQ(act({"gc", "--dry-run", "--apply", kPlan}).exit_code, 2);
}

}  // namespace
}  // namespace cnio::test
