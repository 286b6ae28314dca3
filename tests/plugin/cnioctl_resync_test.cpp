// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// `cnioctl resync`: after it, CHECK of every pod is content again, and no pod was touched.
#include <algorithm>
#include <filesystem>
#include <thread>

#include "plugin/cnioctl_fixture.hpp"
#include "support/talk.hpp"

namespace cnio::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CnioctlResync : public CnioctlTest {
 protected:
  static Outcome resync(const std::vector<std::string>& words = {}) {
    std::vector<std::string> all = {"resync"};
    all.insert(all.end(), words.begin(), words.end());
    return act(all);
  }
  /// A folder of all plugins but this one.
  static std::string plugins_without(const std::string& absent) {
    const std::string folder = make_folder("other-plugins");
    for (const std::string& name : all_plugins()) {
      if (name != absent) std::filesystem::create_symlink(plugin_dir() + "/" + name, folder + "/" + name);
    }
    return folder;
  }
  /// The same with a script in its place, which calls "$plugin" for it.
  static std::string plugins_with(const std::string& name, const std::string& script) {
    std::string folder = plugins_without(name);
    write_file(folder + "/" + name, "#!/bin/sh\nplugin=" + plugin_dir() + "/" + name + "\n" + script);
    std::filesystem::permissions(folder + "/" + name, std::filesystem::perms::owner_all);
    return folder;
  }
  static std::string inside(const std::string& id) {
    const std::string netns = pod(id).netns;
    return find_link("eth0", netns).at("address").dump() + ::testing::PrintToString(address_texts("eth0", netns)) +
           ip_json({"route"}, netns).dump();
  }
};

TEST_F(CnioctlResync, OfANodeThatIsWellChangesNothing) {
  add_pod(full_list(), "c1", 8001);
  const std::string rules = must_run({"nft", "-a", "-s", "list", "ruleset"});
  const Outcome outcome = resync();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_THAT(outcome.out, HasSubstr("1 interface of pods, 1 well"));
  EXPECT_EQ(must_run({"nft", "-a", "-s", "list", "ruleset"}), rules);
}

TEST_F(CnioctlResync, BringsAllBackAfterAFlushAndALostBridge) {
  std::vector<Pod> pods;
  for (int number = 1; number <= 4; ++number) {
    pods.push_back(add_pod(full_list(), "c" + std::to_string(number), 8000 + number));
  }
  const std::string before = inside("c1");
  must_run({"nft", "flush", "ruleset"});
  must_run({"ip", "link", "delete", "br0"});
  set_sysctl("net/ipv4/ip_forward", "0");
  const Outcome dry = resync({"--dry-run"});
  EXPECT_EQ(dry.exit_code, 1) << describe(dry);
  EXPECT_THAT(dry.out, AllOf(HasSubstr("default/pod-c1"), HasSubstr("[missing]")));
  EXPECT_TRUE(find_link("br0").is_null());
  const Outcome outcome = resync();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_THAT(outcome.out, HasSubstr("4 interfaces of pods, 4 put back"));
  for (size_t i = 0; i < pods.size(); ++i) EXPECT_TRUE(checks(pods[i], 8001 + static_cast<int>(i)));
  EXPECT_EQ(inside("c1"), before);
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.3"));
}

TEST_F(CnioctlResync, LetsOpenConnectionsGoOn) {
  const OutsideHost outside;
  const Pod only = add_pod(full_list(), "c1", 8001);
  const Mirror server(outside.netns, Talk::kTcp, 9000);
  must_run({"nft", "flush", "ruleset"});
  must_run({"ip", "link", "set", host_end(only.result), "nomaster"});
  EXPECT_EQ(resync().exit_code, 0);
  EXPECT_THAT(talk(only.attachment.netns, Talk::kTcp, "192.0.2.2", 9000), HasSubstr("192.0.2.1"));
}

TEST_F(CnioctlResync, GoesByOurRecordWhereLibcnisIsMissing) {
  const Pod first = add_pod(list_of({full_config()}), "c1", 0, false);
  Json other = full_config();
  other["ipam"] = host_local_ipam({"10.2.0.0/24"});
  other["bridge"] = "br1";
  other["isGateway"] = true;
  const Pod second = add_pod(list_of({other}, "othernet"), "c2", 0, false);
  must_run({"nft", "flush", "ruleset"});
  must_run({"ip", "link", "set", host_end(first.result), "nomaster"});
  must_run({"ip", "link", "set", host_end(second.result), "nomaster"});
  must_run({"ip", "address", "flush", "dev", "br1"});
  const Outcome outcome = resync();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_THAT(outcome.out, HasSubstr("libcni's cache is missing"));
  EXPECT_TRUE(checks(first));
  EXPECT_TRUE(checks(second));
}

TEST_F(CnioctlResync, FindsTheSandboxThoughTheStoreIsGone) {
  const Pod only = add_pod(list_of({full_config()}), "c1", 0, false);
  std::filesystem::remove_all("/var/lib/cni/networks");
  must_run({"nft", "flush", "ruleset"});
  const Outcome outcome = resync();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_FALSE(nft_objects_with("10.1.0.2").empty());
}

TEST_F(CnioctlResync, SaysWhatItCannotMend) {
  const Pod well = add_pod(full_list(), "c1", 8001);
  const Pod lost = add_pod(full_list(), "c2", 8002);
  must_run({"ip", "link", "delete", host_end(lost.result)});
  must_run({"nft", "flush", "ruleset"});
  const Outcome outcome = resync();
  EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("default/pod-c2"), HasSubstr("is gone"), HasSubstr("[lost]")));
  EXPECT_TRUE(checks(well, 8001));
}

TEST_F(CnioctlResync, LeavesPodsThatAreGoneAlone) {
  const Pod well = add_pod(full_list(), "c1", 8001);
  add_pod(full_list(), "c2", 8002);
  lose("c2");
  must_run({"nft", "flush", "ruleset"});
  const Outcome outcome = resync();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("1 interface of pods"), Not(HasSubstr("pod-c2"))));
  EXPECT_TRUE(checks(well, 8001));
}

TEST_F(CnioctlResync, NamesPluginsOfOthers) {
  const Pod only = add_pod(full_list(), "c1", 8001);
  const std::string folder = plugins_without("portmap");
  std::filesystem::create_symlink(reference_dir() + "/portmap", folder + "/portmap");
  const Outcome outcome = cnioctl({"resync", "--bin", folder});
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\"portmap\" cannot mend"), HasSubstr("[no-repair]")));
}

// Those of before repair one attachment at a time.
TEST_F(CnioctlResync, TakesWhatAPluginOfBeforeCanDo) {
  for (const char* id : {"c1", "c2", "c3", "c4", "c5"}) add_pod(list_of({full_config()}), id);
  must_run({"nft", "flush", "ruleset"});
  const std::string folder = plugins_with("bridge",
                                          R"(if [ "$CNI_COMMAND" = CNIO_REPAIR_EACH ]; then
echo '{"cniVersion": "1.1.0", "code": 4, "msg": "bridge: invalid environment: CNI_COMMAND is none of ADD, DEL"}'
exit 1
fi
exec "$plugin"
)");
  const Outcome outcome = cnioctl({"resync", "--bin", folder});
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("5 put back"), Not(HasSubstr("no-repair"))));
}

TEST_F(CnioctlResync, SaysOfWhomAPluginThatDiedHasSaidNothing) {
  // More than there are processes at once, so that some have one together.
  const size_t pods = 4 * std::max<size_t>(2, std::thread::hardware_concurrency());
  for (size_t number = 0; number < pods; ++number) add_pod(list_of({full_config()}), "c" + std::to_string(number));
  must_run({"nft", "flush", "ruleset"});
  const std::string folder = plugins_with("bridge", "head -n 1 | \"$plugin\"\nkill -KILL $$\n");
  const Outcome outcome = cnioctl({"resync", "--bin", folder});
  EXPECT_EQ(outcome.exit_code, 1) << describe(outcome);
  const std::string half = std::to_string(pods / 2);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr(half + " put back, " + half + " not put back"),
                                 HasSubstr("bridge: killed by signal 9, without a reason"), HasSubstr("[lost]")));
  EXPECT_EQ(resync().exit_code, 0);
}

TEST_F(CnioctlResync, PrintsNothingThatDrivesATerminal) {
  Json list = list_of({full_config()});
  add_pod(list, "c1", 0, false);
  Json record = {{"kind", "cniCacheV1"}, {"containerId", "c1"},      {"config", "e30="},        {"ifName", "eth0"},
                 {"networkName", "net"}, {"netns", "/run/netns/c1"}, {"result", Json::object()}};
  record["cniArgs"] =
      Json::array({Json::array({"K8S_POD_NAMESPACE", "a\x1b[2J"}), Json::array({"K8S_POD_NAME", "b\n\x07"})});
  write_file(cache_file(list, "c1"), record.dump());
  const Outcome outcome = resync();
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(outcome.out.find('\x07'), std::string::npos);
}

TEST_F(CnioctlResync, WithNothingToDoIsWell) {
  const Outcome outcome = act({"--json", "resync"});
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_EQ(Json::parse(outcome.out).at("schema"), "cnioctl/1");
}

}  // namespace
}  // namespace cnio::test
