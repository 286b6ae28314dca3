// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// `cnioctl resync --watch`: what the node loses comes back without anybody calling.
#include <csignal>
#include <optional>

#include "plugin/cnioctl_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::HasSubstr;

class CnioctlWatch : public CnioctlTest {
 protected:
  void start() {
    Command command;
    command.argv = {"sh", "-c", "exec " + tool("cnioctl") + " resync --watch --bin " + plugin_dir() + " >" + kSaid};
    watch_.emplace(command);
    ASSERT_TRUE(happens([] { return said().find(" of pods") != std::string::npos; }));
  }
  static std::string said() { return std::filesystem::exists(kSaid) ? read_file(kSaid) : std::string(); }
  static bool has_rules() { return !nft_objects_with("10.1.0.2").empty(); }
  static bool is_in_bridge(const std::string& port) {
    const Json link = find_link(port);
    return link.contains("master") && link.at("master") == "br0";
  }

  static inline const std::string kSaid = "/run/said";
  std::optional<Child> watch_;
};

TEST_F(CnioctlWatch, RulesComeBackAfterAFlush) {
  const Pod only = add_pod(full_list(), "c1", 8001);
  start();
  for (int round = 0; round < 2; ++round) {
    must_run({"nft", "flush", "ruleset"});
    EXPECT_TRUE(happens([&] { return has_rules() && bool(checks(only, 8001)); }));
  }
  EXPECT_TRUE(happens([] { return said().find("put back") != std::string::npos; }));
}

TEST_F(CnioctlWatch, MendsWhatAPodAloneHasLost) {
  const Pod first = add_pod(full_list(), "c1", 8001);
  const Pod second = add_pod(full_list(), "c2", 8002);
  start();
  must_run({"ip", "link", "set", host_end(second.result), "nomaster"});
  EXPECT_TRUE(happens([&] { return is_in_bridge(host_end(second.result)) && bool(checks(second, 8002)); }));
  EXPECT_TRUE(happens([] { return said().find("default/pod-c2") != std::string::npos; }));
  EXPECT_EQ(said().find("default/pod-c1"), std::string::npos);
  EXPECT_TRUE(checks(first, 8001));
}

TEST_F(CnioctlWatch, MendsADeletedBridgeAndForwarding) {
  const Pod only = add_pod(full_list(), "c1", 8001);
  start();
  must_run({"ip", "link", "delete", "br0"});
  EXPECT_TRUE(happens([&] { return bool(checks(only, 8001)); }));
  set_sysctl("net/ipv4/ip_forward", "0");
  EXPECT_TRUE(happens([] { return sysctl("net/ipv4/ip_forward") == "1"; }));
}

// Of pods that came while it watched, too; and their removal is no loss.
TEST_F(CnioctlWatch, LetsPodsComeAndGo) {
  start();
  const Pod only = add_pod(list_of({full_config()}), "c1");
  must_run({"nft", "flush", "ruleset"});
  EXPECT_TRUE(happens([] { return said().find("1 put back") != std::string::npos; }));
  EXPECT_TRUE(checks(only));
  const std::string before = said();
  EXPECT_TRUE(succeeded_silently(del(with_prev_result(full_config(), only.result), only.attachment)));
  std::filesystem::remove(cache_file(only.list, "c1"));  // as libcni does
  const Pod other = add_pod(list_of({full_config()}), "c2");
  must_run({"nft", "flush", "ruleset"});
  EXPECT_TRUE(happens([&] { return bool(checks(other)); }));
  EXPECT_TRUE(happens([&] { return said().find("default/pod-c2", before.size()) != std::string::npos; }));
  // A DEL that takes longer than the watch waits for may be spoken of, but nothing of it comes back.
  EXPECT_FALSE(has_rules());
}

// What cannot be mended is said once.
TEST_F(CnioctlWatch, GivesUpWhatCannotBeMended) {
  const Pod lost = add_pod(full_list(), "c1", 8001);
  const Pod well = add_pod(full_list(), "c2", 8002);
  start();
  must_run({"ip", "link", "set", "eth0", "down"}, lost.attachment.netns);
  must_run({"ip", "link", "set", "eth0", "name", "other0"}, lost.attachment.netns);
  must_run({"nft", "flush", "ruleset"});
  EXPECT_TRUE(happens([&] { return said().find("[lost]") != std::string::npos; }));
  EXPECT_TRUE(happens([&] { return bool(checks(well, 8002)); }));
  EXPECT_TRUE(happens([] { return said().find("1 put back") != std::string::npos; }));
  const std::string before = said();
  // As the kernel tells by itself, too, when a port loses its carrier: up to a second later.
  must_run({"bridge", "link", "set", "dev", host_end(lost.result), "cost", "77"});
  must_run({"ip", "link", "set", host_end(well.result), "nomaster"});
  EXPECT_TRUE(happens([&] { return bool(checks(well, 8002)); }));
  EXPECT_TRUE(happens([&] { return said().size() > before.size(); }));
  EXPECT_EQ(said().find("[lost]", before.size()), std::string::npos) << said();

  // Nor for ever: its port tells when the interface is back.
  must_run({"ip", "link", "set", "other0", "name", "eth0"}, lost.attachment.netns);
  must_run({"ip", "link", "set", "eth0", "up"}, lost.attachment.netns);
  must_run({"ip", "route", "replace", "default", "via", "10.1.0.1"}, lost.attachment.netns);
  // By itself the kernel does not, if the carrier is back before it has told that it was lost.
  must_run({"bridge", "link", "set", "dev", host_end(lost.result), "cost", "78"});
  EXPECT_TRUE(happens([&] { return said().find("default/pod-c1", before.size()) != std::string::npos; })) << said();
}

// Others may have mended it meanwhile, or it itself before the pod had all of its routes.
TEST_F(CnioctlWatch, SaysWhenWhatItGaveUpIsWellAgain) {
  const Pod lost = add_pod(full_list(), "c1", 8001);
  must_run({"ip", "link", "set", "eth0", "down"}, lost.attachment.netns);
  must_run({"ip", "link", "set", "eth0", "name", "other0"}, lost.attachment.netns);
  start();
  EXPECT_TRUE(happens([&] { return said().find("[lost]") != std::string::npos; }));
  const std::string before = said();

  ASSERT_EQ(kill(watch_->pid(), SIGSTOP), 0);
  must_run({"ip", "link", "set", "other0", "name", "eth0"}, lost.attachment.netns);
  must_run({"ip", "link", "set", "eth0", "up"}, lost.attachment.netns);
  must_run({"ip", "route", "replace", "default", "via", "10.1.0.1"}, lost.attachment.netns);
  const Outcome mended = act({"resync"});
  EXPECT_EQ(mended.exit_code, 0) << describe(mended);
  must_run({"bridge", "link", "set", "dev", host_end(lost.result), "cost", "77"});
  ASSERT_EQ(kill(watch_->pid(), SIGCONT), 0);
  EXPECT_TRUE(happens([&] { return said().find("[well-again]", before.size()) != std::string::npos; })) << said();
  EXPECT_NE(said().find("default/pod-c1", before.size()), std::string::npos) << said();
}

TEST_F(CnioctlWatch, IsNoDryRun) {
  const Outcome outcome = act({"resync", "--watch", "--dry-run"});
  EXPECT_EQ(outcome.exit_code, 2) << describe(outcome);
  EXPECT_THAT(outcome.err, HasSubstr("--watch"));
}

}  // namespace
}  // namespace cnio::test
