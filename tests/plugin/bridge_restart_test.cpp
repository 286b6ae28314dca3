// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// A container that starts again under the id, interface and network that it had, without a DEL between.
#include <fstream>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

class BridgeRestart : public BridgeTest {
 protected:
  BridgeRestart() { config_["ipMasq"] = true; }

  /// The container in a new namespace.
  static Attachment again(const std::string& netns) { return {"c1", add_netns(netns), "eth0", ""}; }

  void expect_only(const Attachment& attachment) const {
    EXPECT_EQ(names_on_bridge().size(), 1U);
    EXPECT_TRUE(ping(attachment.netns, "10.1.0.1"));
    EXPECT_TRUE(succeeded_silently(del(config_, attachment)));
    EXPECT_TRUE(names_on_bridge().empty());
    EXPECT_FALSE(store_holds("10.1.0.2"));
    EXPECT_TRUE(nft_objects_with("10.1.0.2").empty());
    EXPECT_TRUE(link_names(attachment.netns).empty());
  }

  Json config_ = bridge_config();
};

TEST_F(BridgeRestart, WhileTheOldNamespaceIsThereItIsRefused) {
  const Json result = must_add(config_, pod());
  const Attachment next = again("next");
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(config_, next), code::kInTheWay, {"c1/eth0", "10.1.0.2", "/run/netns/c1"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(link_names(next.netns).empty());
  EXPECT_TRUE(ping(pod().netns, "10.1.0.1"));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, result), pod())));
}

TEST_F(BridgeRestart, KeepsItsAddressWhenTheNamespaceIsGone) {
  must_add(config_, pod());
  delete_netns("c1");
  const Attachment next = again("next");
  const Json result = must_add(config_, next);
  EXPECT_EQ(result.at("ips").at(0).at("address"), "10.1.0.2/24");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, result), next)));
  expect_only(next);
}

TEST_F(BridgeRestart, UnderTheSameName) {
  for (int turn = 0; turn < 3; ++turn) {
    const Attachment attachment = pod();
    EXPECT_EQ(must_add(config_, attachment).at("ips").at(0).at("address"), "10.1.0.2/24") << turn;
    EXPECT_TRUE(ping(attachment.netns, "10.1.0.1"));
    delete_netns("c1");
  }
  const Attachment last = pod();
  must_add(config_, last);
  expect_only(last);
}

// The namespace has lost its name, but a process lives in it, and with it the old pair.
TEST_F(BridgeRestart, TheOldPairGoesThoughAProcessKeepsItsNamespace) {
  config_["macspoofchk"] = true;
  must_add(config_, pod());
  delete_netns("c1");
  // While the pair of before is going, the next one has another name than usual.
  const Attachment first = pod();
  must_add(config_, first);
  const std::string pipe = make_folder("kept") + "/pipe";
  must_run({"mkfifo", pipe});
  Command staying;
  staying.argv = {"cat", pipe};
  staying.netns = first.netns;
  Child process(staying);
  // Returns when the process has opened the other end, and so is inside; it stays as long as this end is open.
  const std::ofstream staying_on(pipe);
  const std::string kept = "/proc/" + std::to_string(process.pid()) + "/ns/net";
  delete_netns("c1");
  EXPECT_EQ(link_names(kept), std::vector<std::string>{"eth0"});
  const Attachment next = again("next");
  const Json result = must_add(config_, next);
  EXPECT_EQ(result.at("ips").at(0).at("address"), "10.1.0.2/24");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, result), next))) << "the spoof check follows";
  EXPECT_TRUE(link_names(kept).empty());
  expect_only(next);
}

TEST_F(BridgeRestart, AfterARebootOfTheHost) {
  write_file("/run/test/boot", "next-boot\n");
  must_add(config_, pod());
  must_add(config_, pod("c2"));
  delete_netns("c1");
  delete_netns("c2");
  must_run({"ip", "link", "del", "br0"});
  must_run({"nft", "flush", "ruleset"});
  const Attachment next = again("next");
  Command command = plugin_command({"bridge", "ADD", next, config_.dump()});
  command.binds = {{"/run/test/boot", "/proc/sys/kernel/random/boot_id"}};
  const Outcome outcome = run(command);
  ASSERT_TRUE(succeeded(outcome));
  EXPECT_EQ(Json::parse(outcome.out).at("ips").at(0).at("address"), "10.1.0.2/24");
  EXPECT_TRUE(store_holds("10.1.0.3")) << "not in the way";
  expect_only(next);
}

}  // namespace
}  // namespace cnio::test
