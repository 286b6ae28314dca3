// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <set>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

constexpr int kPods = 100;
constexpr int kAtOnce = 20;

class Concurrency : public BridgeTest {
 protected:
  Concurrency() {
    config_["ipMasq"] = true;
    for (int number = 0; number < kPods; ++number) pods_.push_back(pod("c" + std::to_string(number)));
  }

  /// Runs the verb for all pods, a batch at a time.
  std::vector<Outcome> run_all(const std::string& verb) const {
    std::vector<Outcome> outcomes;
    for (std::size_t next = 0; next < pods_.size();) {
      std::vector<Child> batch;
      for (int count = 0; count < kAtOnce && next < pods_.size(); ++count, ++next) {
        batch.emplace_back(plugin_command({"bridge", verb, pods_[next], config_.dump()}));
      }
      for (Child& child : batch) outcomes.push_back(child.wait());
    }
    return outcomes;
  }

  Json config_ = dual_stack_config();
  std::vector<Attachment> pods_;
};

TEST_F(Concurrency, ManyAddsGetDistinctAddressesAndAllGoAgain) {
  PARITY("T81");
  const Snapshot before = Snapshot::of_host().without_forwarding();
  std::set<std::string> seen;
  for (const Outcome& outcome : run_all("ADD")) {
    ASSERT_TRUE(succeeded(outcome));
    const Json result = Json::parse(outcome.out);
    for (const Json& ip : result.at("ips")) seen.insert(ip.at("address").get<std::string>());
    seen.insert(host_end(result));
  }
  EXPECT_EQ(seen.size(), 3U * kPods);
  EXPECT_EQ(names_on_bridge().size(), static_cast<std::size_t>(kPods));
  for (const Attachment& attachment : {pods_.front(), pods_[50], pods_.back()}) {
    EXPECT_TRUE(ping(attachment.netns, "10.1.0.1"));
    EXPECT_TRUE(ping(attachment.netns, "fd01::1"));
  }
  for (const Outcome& outcome : run_all("DEL")) EXPECT_TRUE(succeeded_silently(outcome));
  EXPECT_TRUE(names_on_bridge().empty());
  EXPECT_TRUE(same(
      before,
      Snapshot::of_host().without_forwarding().without_cursors().without_device("br0").without_masquerade_frame()));
}

TEST_F(Concurrency, AddAndDeleteOfOneAttachmentEndInOneOfTwoStates) {
  const Attachment one = pods_.front();
  for (int turn = 0; turn < 10; ++turn) {
    std::vector<Child> both;
    both.emplace_back(plugin_command({"bridge", "ADD", one, config_.dump()}));
    both.emplace_back(plugin_command({"bridge", "DEL", one, config_.dump()}));
    const bool added = both[0].wait().exit_code == 0;
    both[1].wait();
    const Outcome cleanup = del(config_, one);
    EXPECT_TRUE(succeeded_silently(cleanup)) << "after an ADD that " << (added ? "succeeded" : "failed");
    EXPECT_TRUE(names_on_bridge().empty());
    EXPECT_TRUE(link_names(one.netns).empty());
  }
}

TEST_F(Concurrency, OnlyOneOfManyAddsOfOneAttachmentWins) {
  const Attachment one = pods_.front();
  std::vector<Child> all;
  for (int count = 0; count < 10; ++count) all.emplace_back(plugin_command({"bridge", "ADD", one, config_.dump()}));
  int won = 0;
  for (Child& child : all) {
    const Outcome outcome = child.wait();
    if (outcome.exit_code == 0) {
      ++won;
    } else {
      EXPECT_TRUE(failed(outcome, code::kInTheWay));
    }
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(names_on_bridge().size(), 1U);
  EXPECT_TRUE(ping(one.netns, "10.1.0.1")) << "the losers' clean-up did not hurt the winner";
  EXPECT_TRUE(store_holds("10.1.0.2"));
}

}  // namespace
}  // namespace cnio::test
