// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// GC: an address is never free while a link may still have it, and nobody who lives is touched.
#include "plugin/attachment_fixture.hpp"

namespace cnio::test {
namespace {

class AttachmentGc : public AttachmentTest, public ::testing::WithParamInterface<Change> {
 protected:
  AttachmentGc() {
    const Json living = must_add(config_, pod("living"));  // 10.1.0.2
    stale_ = must_add(config_, pod("stale"));              // 10.1.0.3
    Json other = config_;
    other["name"] = "othernet";
    other["ipam"] = host_local_ipam({"10.2.0.0/24"});
    other["bridge"] = "br1";
    must_add(other, pod("other"));
    GetParam().make(host_end(stale_));
  }
  static bool stale_link_is_there() { return !link_names(pod("stale").netns).empty(); }
  void expect_living_are_untouched() const {
    for (const char* id : {"living", "other"}) EXPECT_EQ(link_names(pod(id).netns), std::vector<std::string>{"eth0"});
    EXPECT_TRUE(store_holds("10.1.0.2"));
    EXPECT_TRUE(store_holds("10.2.0.2", "othernet"));
    EXPECT_FALSE(nft_objects_with("10.1.0.2").empty());
    EXPECT_EQ(nft_objects_with("\"comment\":\"macspoofchk-living-eth0\"").size(), 4U);
  }
  /// Gone and free, or there, kept and reported.
  void expect_safe(const Outcome& outcome) const {
    if (outcome.exit_code == 0) {
      EXPECT_FALSE(stale_link_is_there()) << "GC says that all is well";
    } else {
      EXPECT_TRUE(failed(outcome, code::kInTheWay, {"left alone"}));
    }
    EXPECT_EQ(store_holds("10.1.0.3"), stale_link_is_there()) << describe(outcome);
    expect_living_are_untouched();
  }

  Json config_ = full_config();
  Json stale_;
};
INSTANTIATE_TEST_SUITE_P(After, AttachmentGc, ::testing::ValuesIn(host_end_changes()),
                         [](const auto& test) { return test.param.name; });

TEST_P(AttachmentGc, FindsTheStaleLinkByItsRecord) {
  FAULT("B5 links that GC must find");
  const Outcome outcome = gc(valid(config_, {"living"}));
  EXPECT_TRUE(succeeded_silently(outcome));
  expect_safe(outcome);
  EXPECT_EQ(records(), 2U);
}

TEST_P(AttachmentGc, FindsItThoughTheConfigurationHasChanged) {
  FAULT("B5 links that GC must find");
  config_["bridge"] = "br7";
  config_["hostIfPrefix"] = "tap";
  const Outcome outcome = gc(valid(config_, {"living"}));
  EXPECT_TRUE(succeeded_silently(outcome));
  expect_safe(outcome);
}

class AttachmentGcWithoutRecord : public AttachmentGc {};
INSTANTIATE_TEST_SUITE_P(After, AttachmentGcWithoutRecord, ::testing::ValuesIn(told_without_record()),
                         [](const auto& test) { return test.param.name; });

TEST_P(AttachmentGcWithoutRecord, KeepsTheAddressOfWhatItCannotTell) {
  FAULT("B5 record removed");
  lose_records();
  expect_safe(gc(valid(config_, {"living"})));
}

/// The same changes, made to one that lives.
class AttachmentGcOfTheLiving : public AttachmentTest, public ::testing::WithParamInterface<Change> {};
INSTANTIATE_TEST_SUITE_P(After, AttachmentGcOfTheLiving, ::testing::ValuesIn(host_end_changes()),
                         [](const auto& test) { return test.param.name; });

TEST_P(AttachmentGcOfTheLiving, IsNotTouched) {
  FAULT("B5 living ones");
  const Json config = full_config();
  const Json result = must_add(config, pod());
  must_add(config, pod("stale"));
  GetParam().make(host_end(result));
  for (const bool recorded : {true, false}) {
    if (!recorded) lose_records();
    if (!recorded && !GetParam().told_without_record) break;
    const Outcome outcome = gc(valid(config, {"c1"}));
    EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{"eth0"}) << recorded << describe(outcome);
    EXPECT_TRUE(store_holds("10.1.0.2"));
    EXPECT_FALSE(nft_objects_with("10.1.0.2").empty());
    if (recorded) {
      EXPECT_TRUE(succeeded_silently(outcome));
      EXPECT_FALSE(store_holds("10.1.0.3"));
    }
    EXPECT_EQ(store_holds("10.1.0.3"), !link_names(pod("stale").netns).empty()) << recorded;
  }
}

class AttachmentGcOne : public AttachmentTest {};

// Network names of 200 bytes and containers of 300 do not fit into an alias.
TEST_F(AttachmentGcOne, FindsLongNames) {
  FAULT("B5 long names");
  for (const std::size_t length : {200U, 238U}) {
    for (const bool recorded : {true, false}) {
      Json config = bridge_config();
      config["name"] = std::string(length, 'n');
      const auto long_pod = [&](const std::string& id) {
        Attachment attachment = pod(id);
        attachment.container = std::string(299, 'c') + id.back();
        return attachment;
      };
      must_add(config, long_pod("p1"));
      const Json stale = must_add(config, long_pod("p2"));
      if (!recorded) lose_records();
      const Outcome outcome = gc(valid(config, {long_pod("p1").container}));
      const bool there = !link_names(pod("p2").netns).empty();
      EXPECT_EQ(store_holds(address_of(stale), config["name"].get<std::string>()), there)
          << length << describe(outcome);
      EXPECT_EQ(outcome.exit_code != 0, there) << length << describe(outcome);
      EXPECT_EQ(link_names(pod("p1").netns), std::vector<std::string>{"eth0"});
      EXPECT_FALSE(there && (recorded || length == 200));
      for (const char* id : {"p1", "p2"}) must_del(config, long_pod(id));
    }
  }
}

// Two networks whose names begin alike for longer than an alias is.
TEST_F(AttachmentGcOne, TellsNetworksApartWhoseNamesFillTheAlias) {
  FAULT("B5 long names");
  Json one = bridge_config();
  Json other = bridge_config({"10.2.0.0/24"});
  one["name"] = std::string(240, 'n') + "1";
  other["name"] = std::string(240, 'n') + "2";
  other["bridge"] = "br1";
  must_add(one, pod());
  Attachment long_pod = pod("c2");
  long_pod.container = std::string(20, 'c');
  must_add(other, long_pod);
  EXPECT_TRUE(succeeded_silently(gc(valid(one, {"c1"}))));
  EXPECT_EQ(link_names(pod("c2").netns), std::vector<std::string>{"eth0"});
  lose_records();
  EXPECT_TRUE(failed(gc(valid(one, {"c1"})), code::kInTheWay)) << "it may be stale";
  EXPECT_EQ(link_names(pod("c2").netns), std::vector<std::string>{"eth0"});
}

// A backup that an administrator has made, or an editor.
TEST_F(AttachmentGcOne, ACopyOfARecordHurtsNobody) {
  FAULT("B5 hostile record");
  const Json config = full_config();
  must_add(config, pod());
  const std::string record = std::filesystem::directory_iterator(kRecords)->path();
  for (const std::string& name : {record + "~", std::string(kRecords) + "/" + std::string(32, 'a')})
    std::filesystem::copy_file(record, name);
  EXPECT_TRUE(succeeded_silently(gc(valid(config, {"c1"}))));
  EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{"eth0"});
}

// Several hosts may share one /run (containers that play machines do).
TEST_F(AttachmentGcOne, RecordsOfAnotherHostAreLeftAlone) {
  FAULT("B5 another host's record");
  const Json config = bridge_config();
  const std::string other_host = add_netns("other-host");
  Command command = plugin_command({"bridge", "ADD", pod("c1"), config.dump()});
  command.netns = other_host;
  ASSERT_TRUE(succeeded(run(command)));
  must_add(config, pod("c2"));
  EXPECT_TRUE(succeeded_silently(gc(valid(config, {"c2"}))));
  EXPECT_EQ(link_names(pod("c1").netns), std::vector<std::string>{"eth0"});
  EXPECT_EQ(records(), 2U);
  // A DEL on this host does not find the pair of that one either.
  must_del(config, nowhere(pod("c1")));
  EXPECT_EQ(link_names(pod("c1").netns), std::vector<std::string>{"eth0"});
  EXPECT_EQ(records(), 2U);
}

// A pod of ours that is still listed, though its link is gone, does not make up for a link of the reference's.
TEST_F(AttachmentGcOne, TheDeadThatAreListedDoNotHideAStaleLink) {
  FAULT("B5 links that GC must find");
  const Json config = bridge_config();
  must_add(config, pod("dead"));
  ASSERT_EQ(by_reference("ADD", config, pod("stale")).exit_code, 0);
  must_run({"ip", "link", "del", "eth0"}, pod("dead").netns);
  EXPECT_TRUE(failed(gc(valid(config, {"dead"})), code::kInTheWay, {"left alone"}));
  EXPECT_TRUE(store_holds("10.1.0.3")) << "its link is there";
}

TEST_F(AttachmentGcOne, LivingLinksOfTheReferenceAreNoReasonToFail) {
  FAULT("B5 living ones");
  const Json config = bridge_config();
  ASSERT_EQ(by_reference("ADD", config, pod("c1")).exit_code, 0);
  must_add(config, pod("c2"));
  must_add(config, pod("c3"));
  EXPECT_TRUE(succeeded_silently(gc(valid(config, {"c1", "c2"}))));
  EXPECT_EQ(link_names(pod("c1").netns), std::vector<std::string>{"eth0"});
  EXPECT_FALSE(store_holds("10.1.0.4"));
}

}  // namespace
}  // namespace cnio::test
