// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The verbs of cnioctl that only look, on nodes that the plugins have made.
#include <filesystem>
#include <set>

#include "plugin/cnioctl_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CnioctlLook : public CnioctlTest {
 protected:
  CnioctlLook() {
    write_file(kConf + std::string("/10-net.conflist"), full_list().dump());
    set_sysctl("net/ipv4/ip_forward", "1");
  }

  static constexpr char kConf[] = "/run/net.d";

  static Outcome look(std::vector<std::string> words) {
    words.insert(words.end(), {"--conf-dir", kConf});
    if (words.front() == "check") words.insert(words.end(), {"--bin", plugin_dir()});
    return cnioctl(std::move(words));
  }
  static Json ask(std::vector<std::string> words) {
    words.insert(words.begin() + 1, "--json");
    const Outcome outcome = look(words);
    Json answer = Json::parse(outcome.out);
    EXPECT_EQ(answer.at("schema"), "cnioctl/1");
    return answer;
  }
  static std::vector<std::string> problems() {
    std::vector<std::string> kinds;
    const Json said = ask({"status"});
    for (const Json& each : said.at("problems")) kinds.push_back(each.at("kind").get<std::string>());
    return kinds;
  }
  static Json only(const std::string& thing) { return ask({"who", thing}).at("found").at(0); }
  /// As the reference does.
  static void reserve(const std::string& address, const std::string& container) {
    std::filesystem::create_directories("/var/lib/cni/networks/net");
    write_file("/var/lib/cni/networks/net/" + address, container + "\r\neth0");
  }
  static Json pool() { return ask({"ipam"}).at("networks").at(0).at("pools").at(0); }
};

TEST_F(CnioctlLook, ANodeThatIsWell) {
  add_pod(full_list(), "c1", 8001);
  add_pod(full_list(), "c2", 8002);
  const Outcome status = look({"status"});
  EXPECT_EQ(status.exit_code, 0) << describe(status);
  EXPECT_THAT(status.out, AllOf(HasSubstr("2 pods"), HasSubstr("br0 10.1.0.1/24"), HasSubstr("2 of 253 addresses")));
  EXPECT_THAT(look({"pods"}).out, AllOf(HasSubstr("default/pod-c1"), HasSubstr("10.1.0.3"), HasSubstr("live")));
  EXPECT_THAT(look({"tree"}).out, AllOf(HasSubstr("br0"), HasSubstr("└─ veth"), HasSubstr("default/pod-c2")));
  const Outcome check = look({"check"});
  EXPECT_EQ(check.exit_code, 0) << describe(check);
  EXPECT_THAT(check.out, HasSubstr("2 interfaces of pods"));
  EXPECT_EQ(pool().at("live"), 2);
  EXPECT_EQ(pool().at("next"), "10.1.0.4");
  EXPECT_THAT(look({"metrics"}).out, HasSubstr("state=\"live\"} 2\n"));
}

TEST_F(CnioctlLook, WhoFindsThePodByWhateverNamesIt) {
  add_pod(full_list(), "c1", 8001);
  add_pod(full_list(), "c2", 8002);
  const std::string end = host_ends().front();
  for (const std::string& thing : {std::string("10.1.0.2"), std::string("8001"), std::string("tcp/8001"),
                                   std::string("default/pod-c1"), std::string("c1"), std::string("c1/eth0")}) {
    EXPECT_EQ(only(thing).at("container"), "c1") << thing;
  }
  EXPECT_EQ(only(end).at("hostEnds").at(0).at("name"), end);
  const Json one = only("10.1.0.2");
  EXPECT_EQ(one.at("state"), "live");
  EXPECT_EQ(one.at("pod").at("name"), "pod-c1");
  EXPECT_EQ(one.at("hostEnds").at(0).at("bridge"), "br0");
  EXPECT_EQ(one.at("sandbox").at("path"), "/run/netns/c1");
  EXPECT_EQ(one.at("reservations").at(0).at("boot"), "this");
  EXPECT_TRUE(one.at("recorded").get<bool>());
  std::set<std::string> kinds;
  for (const Json& each : one.at("rules")) kinds.insert(each.at("kind").get<std::string>());
  EXPECT_EQ(kinds, (std::set<std::string>{"firewall", "masquerade", "port-map", "spoof-check"}));
  EXPECT_EQ(look({"who", "10.1.0.99"}).exit_code, 0);
  EXPECT_EQ(look({"who", "192.0.2.1"}).exit_code, 5);
}

TEST_F(CnioctlLook, SaysWhatIsMissing) {
  add_pod(full_list(), "c1", 8001);
  must_run({"nft", "flush", "ruleset"});
  EXPECT_EQ(look({"status"}).exit_code, 1);
  EXPECT_EQ(problems(), (std::vector<std::string>{"no-rule", "no-rule"}));
  EXPECT_EQ(only("c1").at("problems").size(), 2U);
  const Outcome check = look({"check", "c1"});
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_THAT(check.out, AllOf(HasSubstr("default/pod-c1"), HasSubstr("[check]")));
  must_run({"ip", "link", "set", host_ends().front(), "nomaster"});
  EXPECT_THAT(problems(), ::testing::Contains("port-lost"));
  must_run({"ip", "link", "delete", "br0"});
  EXPECT_THAT(problems(), ::testing::Contains("no-bridge"));
  set_sysctl("net/ipv4/ip_forward", "0");
  EXPECT_THAT(problems(), ::testing::Contains("no-forwarding"));
}

TEST_F(CnioctlLook, SeesWhatDropsAndWhereRoutesLead) {
  add_pod(full_list(), "c1", 8001);
  must_run(
      {"nft", "add table ip other; add chain ip other forward { type filter hook forward priority 0; policy drop; }"});
  must_run({"ip", "link", "add", "br9", "type", "bridge"});
  must_run({"ip", "address", "add", "10.1.0.1/24", "dev", "br9"});
  must_run({"ip", "link", "set", "br9", "up"});
  must_run({"ip", "route", "add", "10.1.0.2/32", "dev", "br9"});
  const auto found = problems();
  for (const char* kind : {"forward-drop", "duplicate-gateway", "no-route"}) {
    EXPECT_THAT(found, ::testing::Contains(kind));
  }
}

TEST_F(CnioctlLook, TellsTheLostFromTheLiving) {
  add_pod(full_list(), "c1", 8001);
  add_pod(full_list(), "c2", 8002);
  lose("c1");
  EXPECT_EQ(only("c1").at("state"), "gone");
  EXPECT_EQ(only("c2").at("state"), "live");
  EXPECT_EQ(pool().at("gone"), 1);
  EXPECT_THAT(look({"status"}).out, HasSubstr("cnioctl gc --dry-run"));
  EXPECT_EQ(look({"status"}).exit_code, 1);
  EXPECT_THAT(look({"ipam", "--state", "gone"}).out, AllOf(HasSubstr("10.1.0.2"), Not(HasSubstr("10.1.0.3"))));
  EXPECT_THAT(look({"pods"}).out, Not(HasSubstr("pod-c1")));
}

// Whoever holds it may be what is wrong.
TEST_F(CnioctlLook, WaitsForNoLock) {
  add_pod(full_list(), "c1", 8001);
  const Command holder{{"flock", "/var/lib/cni/networks/net/lock", tool("cnioctl"), "ipam", "--conf-dir", kConf}};
  const Outcome outcome = run(holder);
  EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
  EXPECT_THAT(outcome.out, HasSubstr("10.1.0.0/24"));
}

TEST_F(CnioctlLook, ChangesNothing) {
  add_pod(full_list(), "c1", 8001);
  const auto now = [] {
    return must_run({"nft", "-a", "-s", "list", "ruleset"}) + must_run({"ip", "address"}) +
           must_run({"find", "/run/cnio", "/var/lib/cni", "-printf", "%p %T@ %C@ %s\\n"});
  };
  const std::string before = now();
  for (const char* verb : {"status", "pods", "ipam", "tree", "metrics"}) look({verb});
  look({"who", "10.1.0.2"});
  EXPECT_EQ(now(), before);
}

// The reference marks nothing: libcni's cache is what tells.
TEST_F(CnioctlLook, KnowsPodsOfTheReferenceByTheCache) {
  Json config = bridge_config();
  const Outcome made = by_reference("ADD", config, pod("c1"));
  ASSERT_EQ(made.exit_code, 0) << describe(made);
  EXPECT_EQ(only("10.1.0.2").at("state"), "unknown");
  const Json record = {{"kind", "cniCacheV1"},
                       {"containerId", "c1"},
                       {"ifName", "eth0"},
                       {"networkName", "net"},
                       {"netns", "/run/netns/c1"}};
  write_file(cache_file(full_list(), "c1"), record.dump());
  EXPECT_EQ(only("10.1.0.2").at("state"), "live");
  delete_netns("c1");
  EXPECT_EQ(only("10.1.0.2").at("state"), "gone");
}

// Of the reference's, of which libcni has kept nothing: what is left is whom a runtime knows.
TEST_F(CnioctlLook, BelievesWhomARuntimeKnows) {
  reserve("10.1.0.2", "c1");
  reserve("10.1.0.3", "c2");
  write_file("/run/valid", "c1\nc7\n");
  const auto state = [](const std::string& thing) {
    return ask({"who", thing, "--valid", "/run/valid"}).at("found").at(0).at("state").get<std::string>();
  };
  EXPECT_EQ(only("10.1.0.2").at("state"), "unknown");
  EXPECT_EQ(state("10.1.0.2"), "live");
  EXPECT_EQ(state("10.1.0.3"), "unknown");  // it may have come since
  must_run({"touch", "-d", "1 hour ago", "/var/lib/cni/networks/net/10.1.0.3"});
  EXPECT_EQ(state("10.1.0.3"), "gone");
  EXPECT_EQ(only("10.1.0.3").at("state"), "unknown");  // nobody was asked
  EXPECT_THAT(look({"ipam", "--state", "gone", "--valid", "/run/valid"}).out,
              AllOf(HasSubstr("10.1.0.3"), HasSubstr("no runtime knows it"), Not(HasSubstr("10.1.0.2"))));
  EXPECT_THAT(look({"metrics", "--valid", "/run/valid"}).out,
              AllOf(HasSubstr("state=\"live\"} 1\n"), HasSubstr("state=\"gone\"} 1\n")));
  EXPECT_EQ(look({"status"}).exit_code, 0);
  EXPECT_EQ(look({"status", "--valid", "/run/valid"}).exit_code, 1);
}

TEST_F(CnioctlLook, AsksARuntimeIfThatIsWanted) {
  reserve("10.1.0.2", "c1");
  const auto list = [](const std::string& script) {
    write_file("/run/bin/crictl", "#!/bin/sh\n" + script + "\n");
    must_run({"chmod", "755", "/run/bin/crictl"});
    return run({{"env", "PATH=/run/bin", tool("cnioctl"), "ipam", "--state", "live", "--conf-dir", kConf, "--runtime",
                 "crictl"}});
  };
  const Outcome well = list("echo c1");
  EXPECT_EQ(well.exit_code, 0) << describe(well);
  EXPECT_THAT(well.out, AllOf(HasSubstr("10.1.0.2"), HasSubstr("a runtime knows it")));
  const Outcome down = list("echo no connection >&2; exit 1");
  EXPECT_EQ(down.exit_code, 3) << describe(down);
  EXPECT_THAT(down.err, HasSubstr("crictl: exit status 1"));
  EXPECT_THAT(down.out, Not(HasSubstr("10.1.0.2")));
}

TEST_F(CnioctlLook, SaysWhatItCanOfABrokenNode) {
  add_pod(full_list(), "c1", 8001);
  write_file("/var/lib/cni/results/net-c9-eth0", "{\"torn");
  std::filesystem::create_directories("/var/lib/cni/networks/net/10.1.0.9");
  std::filesystem::create_symlink("/etc/\x1b[2Jpasswd", "/var/lib/cni/networks/net/10.1.0.10");
  write_file("/var/lib/cni/networks/net/10.1.0.11", "");
  const Outcome outcome = look({"ipam"});
  EXPECT_EQ(outcome.exit_code, 3) << describe(outcome);
  EXPECT_THAT(outcome.err, HasSubstr("net-c9-eth0"));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("10.1.0.9 (folder)"), HasSubstr("link to /etc/\\x1b[2Jpasswd"),
                                 HasSubstr("10.1.0.11 (empty)"), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(pool().at("foreign"), 3);
}

TEST_F(CnioctlLook, ANetworkThatNoFileNamesAnyMoreIsSeen) {
  add_pod(full_list("old"), "c1", 8001);
  EXPECT_EQ(look({"status"}).exit_code, 0);
  EXPECT_THAT(look({"who", "c1"}).out, HasSubstr("old, which no file names"));
}

TEST_F(CnioctlLook, RefusesWhatItDoesNotKnow) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"what"}, {"who"}, {"ipam", "--state", "dead"}, {"status", "--colour"}}) {
    EXPECT_EQ(cnioctl(words).exit_code, 2) << words[0];
  }
}

}  // namespace
}  // namespace cnio::test
