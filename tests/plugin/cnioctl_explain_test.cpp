// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// `cnioctl explain add`: what it says comes true, and nothing of the node is changed by saying it.
#include <filesystem>
#include <set>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugin/cnioctl_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

class CnioctlExplain : public CnioctlTest {
 protected:
  CnioctlExplain() { write_list(full_list()); }

  static constexpr char kFile[] = "/run/10-net.conflist";

  static void write_list(const Json& list) { write_file(kFile, list.dump()); }
  static Outcome explain(std::vector<std::string> words = {}) {
    words.insert(words.begin(), {"explain", "add", kFile});
    return act(std::move(words));
  }
  static Json plan() {
    const Outcome outcome = explain({"--json"});
    EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
    return Json::parse(outcome.out);
  }
  static std::set<std::string> things(const Json& plan, bool only_left = false) {
    std::set<std::string> out;
    for (const Json& each : plan.at("plan")) {
      if (only_left && each.at("undone").get<bool>()) continue;
      out.insert(each.at("where").get<std::string>() + " " + each.at("what").get<std::string>());
    }
    return out;
  }
  /// All that there is of the node: links, addresses, routes, rules, and every file below /run and /var/lib.
  static std::string whole_state() {
    std::string out = describe(run(Command{{"ip", "-d", "address"}}));
    for (const char* family : {"-4", "-6"})
      out += describe(run(Command{{"ip", family, "route", "show", "table", "all"}}));
    out += describe(run(Command{{"nft", "list", "ruleset"}}));
    out += describe(run(Command{{"sysctl", "-a", "--pattern", "^net\\.ipv[46]\\.(ip_forward|conf)"}}));
    out += describe(run(Command{{"sh", "-c",
                                 "cat /proc/self/mounts; ls -lRi --time-style=full-iso /run /var/lib; "
                                 "find /run /var/lib -type f -exec sha256sum {} + | sort"}}));
    return out;
  }
};

TEST_F(CnioctlExplain, SaysWhatAnAddMakes) {
  const Json said = plan();
  EXPECT_THAT(things(said),
              IsSupersetOf({"host link br0 (bridge), MTU 1500, up", "host address 10.1.0.1/24 dev br0",
                            "pod address 10.1.0.2/24 dev eth0", "pod route 0.0.0.0/0 via 10.1.0.1 dev eth0",
                            "file /var/lib/cni/networks/net/10.1.0.2", "sysctl net/ipv4/ip_forward = 1"}));
  EXPECT_THAT(things(said, true), Contains("host link br0 (bridge), MTU 1500, up"));
  EXPECT_THAT(things(said, true), Not(Contains("file /var/lib/cni/networks/net/10.1.0.2")));
  EXPECT_EQ(said.at("result").at("ips").at(0).at("address"), "10.1.0.2/24");
  const Pod real = add_pod(full_list(), "c1");
  EXPECT_EQ(real.result.at("ips"), said.at("result").at("ips")) << "it came true";
}

TEST_F(CnioctlExplain, SeesWhoIsThereAlready) {
  add_pod(full_list(), "c1", 8001);
  const Json said = plan();
  EXPECT_THAT(things(said), Contains("pod address 10.1.0.3/24 dev eth0"));
  EXPECT_THAT(things(said), Not(Contains("host link br0 (bridge), MTU 1500, up"))) << "it is there";
  EXPECT_THAT(things(said), Not(Contains("host address 10.1.0.1/24 dev br0")));
}

TEST_F(CnioctlExplain, ChangesNothing) {
  add_pod(full_list(), "c1", 8001);
  const std::string before = whole_state();
  const Outcome outcome = explain();
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_EQ(whole_state(), before);
}

TEST_F(CnioctlExplain, ChangesNothingOnAFreshNode) {
  const std::string before = whole_state();
  EXPECT_EQ(explain().exit_code, 0);
  EXPECT_EQ(whole_state(), before);
}

// Wherever it is killed.
TEST_F(CnioctlExplain, ChangesNothingIfItIsKilled) {
  add_pod(full_list(), "c1", 8001);
  const std::string before = whole_state();
  for (int calls = 50; calls < 2000; calls = calls * 3 / 2) {
    const Command killed{{"strace", "-o", "/dev/null", "-e", "inject=all:signal=KILL:when=" + std::to_string(calls),
                          tool("cnioctl"), "explain", "add", kFile, "--bin", plugin_dir()}};
    run(killed);
    EXPECT_EQ(whole_state(), before) << calls;
  }
}

TEST_F(CnioctlExplain, SaysWhyAnAddFails) {
  Json list = full_list();
  list["plugins"][0]["mtu"] = "large";
  write_list(list);
  const Outcome outcome = explain();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("error: ADD fails: bridge: "));
  EXPECT_FALSE(std::filesystem::exists("/run/cnio/failures")) << "nobody's call has failed";
}

TEST_F(CnioctlExplain, WarnsOfABridgeWithTheSameSubnet) {
  must_run({"ip", "link", "add", "br9", "type", "bridge"});
  must_run({"ip", "address", "add", "10.1.0.1/24", "dev", "br9"});
  must_run({"ip", "link", "set", "br9", "up"});
  const Outcome outcome = explain();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("warning: 10.1.0.1/24 dev br0 overlaps with 10.1.0.1/24 dev br9"));
}

// firewalld would change the node's rules. The plugin asks for it at this socket.
TEST_F(CnioctlExplain, ReachesNoProgramOfTheNode) {
  std::filesystem::create_directories("/run/dbus");
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "/run/dbus/system_bus_socket"};
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  EXPECT_EQ(explain().exit_code, 0);
  EXPECT_LT(accept(listener, nullptr, nullptr), 0) << "somebody has called";
  close(listener);
}

}  // namespace
}  // namespace cnio::test
