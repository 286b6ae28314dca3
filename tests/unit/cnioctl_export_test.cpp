// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What cnioctl keeps of a node, for later or for somebody else: snapshot, diff, bundle.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnioctl/bundle/redactor.hpp"
#include "cnioctl/bundle/sha256.hpp"
#include "cnioctl/bundle/tar.hpp"
#include "cnioctl/colour.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/runtime.hpp"
#include "cnioctl/snapshot/conf_files.hpp"
#include "cnioctl/snapshot/diff.hpp"
#include "cnioctl/snapshot/snapshot.hpp"
#include "support/matchers.hpp"
#include "support/temp_folder.hpp"
#include "unit/cnioctl_example.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

example::Node node_of(size_t pods) {
  example::Node node = example::node_of(pods);
  node.counted();
  return node;
}
Json snap(const example::Node& node, const std::string& file = R"({"name": "mynet", "type": "bridge"})") {
  return snapshot_of(node.facts, {{"10-mynet.conf", Json::parse(file)}}).at("snapshot");
}

// ---- snapshot

TEST(Snapshot, HasAllThatIsKnown) {
  const Json whole = snapshot_of(node_of(1).facts, {{"10-mynet.conf", Json{{"name", "mynet"}}}});
  EXPECT_EQ(whole.at("schema"), "cnioctl/1");
  const Json& it = whole.at("snapshot");
  EXPECT_EQ(it.at("made"), 1'795'825'709);
  EXPECT_EQ(it.at("node").at("name"), "node-1");
  EXPECT_EQ(it.at("node").at("routes").at(1), "10.240.2.0/24 via 192.168.1.12 dev eth0");
  EXPECT_EQ(it.at("node").at("links").at(2).at("bridge"), "cni0");
  EXPECT_EQ(it.at("files").at(0).at("content").at("name"), "mynet");
  EXPECT_EQ(it.at("pods").at(0).at("pod").at("name"), "web-0");
  EXPECT_THAT(it.at("problems"), IsEmpty());
  EXPECT_TRUE(parse_snapshot(json_text(whole)).ok());
}

TEST(Snapshot, HasNoSecrets) {
  const auto json = [](const char* key, const char* api_key) {
    return Json{{"name", "n"}, {"plugins", {{{"privateKey", key}, {"api_key", api_key}, {"kubeconfig", "/etc/k"}}}}};
  };
  EXPECT_EQ(without_secrets(json("abc", "def")), json("(left out)", "(left out)"));
}

TEST(Snapshot, ReadsNetworksFilesAlone) {
  test::TempFolder folder;
  folder.write("10-a.conf", R"({"name": "a", "token": "t"})");
  folder.write("20-b.conflist", "{");
  folder.write("README", "{}");
  Report report;
  const auto files = read_conf_files(folder.path(), report);
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].json.at("token"), "(left out)");
  EXPECT_TRUE(files[1].json.is_null());
  EXPECT_EQ(report.exit(), Exit::kBlind);
}

// ---- diff

TEST(Diff, OfTheSameIsNothing) {
  const Outcome same = diff(snap(node_of(3)), snap(node_of(3)), false);
  EXPECT_EQ(same.exit, Exit::kWell);
  EXPECT_EQ(same.out, "");
}

TEST(Diff, SaysWhichPodsCameAndWent) {
  const example::Node before = node_of(3);
  example::Node after = node_of(3);
  after.add_pod("default/new", {"10.240.1.9"});
  after.facts.world.attached.erase(after.facts.world.attached.begin());
  after.facts.world.attached[0].verdict.life = Life::kGone;
  after.facts.world.attached[1].rules.clear();
  const Outcome outcome = diff(snap(before), snap(after), false);
  EXPECT_EQ(outcome.exit, Exit::kFound);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("+ pod default/new 10.240.1.9\n"), HasSubstr("- pod default/web-0 10.240.1.2\n"),
                    HasSubstr("- pod default/web-1 10.240.1.3 (address still reserved)\n"),
                    HasSubstr("~ pod default/web-2: rules masquerade -> none\n"),
                    HasSubstr("+ problem mynet: 1 pod (default/web-2): no masquerade rule\n")));
}

TEST(Diff, SaysWhichKeyOfAFileHasChanged) {
  const example::Node node = node_of(0);
  const auto changes = changes_between(
      snap(node, R"({"name": "mynet", "ipMasqExclude": ["10.0.0.0/8"], "plugins": [{"type": "bridge", "mtu": 1500}]})"),
      snap(node, R"({"name": "mynet", "plugins": [{"type": "bridge", "mtu": 1400}], "cniVersion": "1.0.0"})"));
  EXPECT_THAT(changes, ElementsAre(Change{'~', "file", "10-mynet.conf", "ipMasqExclude removed"},
                                   Change{'~', "file", "10-mynet.conf", "plugins[0].mtu 1500 -> 1400"},
                                   Change{'~', "file", "10-mynet.conf", "cniVersion added: 1.0.0"}));
}

TEST(Diff, SaysWhatIsOtherWithTheNode) {
  const example::Node before = node_of(0);
  example::Node after = node_of(0);
  after.facts.node.kernel = "6.1.1";
  after.facts.node.forwards_ipv4 = false;
  after.facts.node.up_seconds = 60;
  after.facts.node.routes.pop_back();
  after.facts.world.links[1].up = false;
  after.own("10.9.0.1/24", after.add_link("br9", "bridge"));
  EXPECT_EQ(diff(snap(before), snap(after), false).out,
            "~ node kernel 6.1.0 -> 6.1.1\n"
            "~ node forwardsIpv4 true -> false\n"
            "~ node started again since then\n"
            "+ link br9\n"
            "~ link cni0: up true -> false\n"
            "+ address 10.9.0.1/24 dev br9\n"
            "- route 10.240.2.0/24 via 192.168.1.12 dev eth0\n");
}

TEST(Diff, AsJson) {
  const Json said = Json::parse(diff(snap(node_of(0)), snap(node_of(1)), true).out);
  EXPECT_EQ(said.at("schema"), "cnioctl/1");
  const Json change = {{"sign", "+"}, {"kind", "pod"}, {"name", "default/web-0"}, {"what", "10.240.1.2"}};
  EXPECT_EQ(said.at("changes").at(0), change);
}

TEST(Diff, TakesWhatIsNoSnapshotForNone) {
  for (const char* text :
       {"", "{}", "[]", "7", R"({"schema": "cnioctl/1"})", R"({"schema": "cnioctl/2", "snapshot": {}})",
        R"({"schema": "cnioctl/1", "snapshot": []})"}) {
    EXPECT_FALSE(parse_snapshot(text).ok()) << text;
  }
}

// Whatever stands in the place of what is meant.
TEST(Diff, TakesAnythingInASnapshot) {
  const Json good = snap(node_of(2));
  for (const char* name : {"made", "node", "files", "pods", "problems"}) {
    for (const char* text :
         {"null", "7", "\"x\"", "[]", "{}", "[7]", "[[]]", "{\"a\": {}}", "[{\"pod\": 7, \"addresses\": {}}]"}) {
      Json bad = good;
      bad[name] = Json::parse(text);
      (void)diff(good, bad, true);
      (void)diff(bad, good, false);
    }
  }
  SUCCEED();
}

TEST(Diff, PrintsNothingThatDrivesATerminal) {
  example::Node after = node_of(0);
  after.add_pod("default/\x1b[2J", {"10.240.1.2"});
  EXPECT_THAT(diff(snap(node_of(0)), snap(after), false).out, Not(HasSubstr("\x1b")));
}

// ---- for people

TEST(Colour, IsForTheWordThatSaysHowItIs) {
  EXPECT_EQ(coloured("node-1, 3 pods\n  ok     mynet\n  WRONG  rules\n+ pod x\n\nf: error: y"),
            "node-1, 3 pods\n  \x1b[32mok \x1b[0m    mynet\n  \x1b[31mWRONG \x1b[0m rules\n\x1b[32m+ \x1b[0mpod x\n\n"
            "f\x1b[31m: error: \x1b[0my");
  EXPECT_EQ(coloured(""), "");
  EXPECT_FALSE(wants_colour("never"));
  EXPECT_TRUE(wants_colour("always"));
}

TEST(Facts, OfSomeNetworksAlone) {
  example::Node node = node_of(2);
  node.add_network("other", "br1", "10.9.0");
  node.add_pod("default/db", {"10.9.0.2"});
  keep_networks({}, node.counted());
  EXPECT_EQ(node.facts.world.attached.size(), 3U);
  keep_networks({"other", "nobody"}, node.facts);
  ASSERT_EQ(node.facts.world.attached.size(), 1U);
  EXPECT_EQ(node.facts.world.attached[0].pod, "default/db");
  EXPECT_EQ(node.facts.networks.size(), 1U);
  EXPECT_EQ(node.facts.pools.size(), 1U);
}

// ---- whom a runtime knows

class Runtime : public ::testing::Test {
 protected:
  void stand_in(const std::string& name, const std::string& script) const {
    folder_.write(name, "#!/bin/sh\n" + script);
    std::filesystem::permissions(folder_.at(name), std::filesystem::perms::owner_all);
  }
  auto ask(const std::string& runtime) const {
    return ask_runtime(runtime, protocol::Environment({"PATH=" + folder_.path()}));
  }

  test::TempFolder folder_;
};

TEST_F(Runtime, IsAskedForItsContainers) {
  stand_in("crictl", "[ \"$*\" = 'pods -q' ] && printf 'c1\\n c2\\n\\n'");
  stand_in("podman", "[ \"$*\" = 'ps -aq --no-trunc' ] && echo c3");
  EXPECT_EQ(ask("crictl").value(), (std::set<std::string>{"c1", "c2"}));
  EXPECT_EQ(ask("auto").value(), (std::set<std::string>{"c1", "c2", "c3"}));
}

TEST_F(Runtime, ThatDoesNotAnswerKnowsMoreThanNothing) {
  EXPECT_FALSE(ask("auto").ok()) << "there is none";
  stand_in("podman", "echo c3");
  stand_in("crictl", "echo it is down >&2; exit 1");
  EXPECT_FALSE(ask("auto").ok());
  EXPECT_TRUE(ask("podman").ok());
}

// ---- bundle

// FIPS 180-4's examples, and the borders of a block.
TEST(Sha256, IsThatOfTheStandard) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Tar, IsUstar) {
  const std::string tar = tar_of({{"a.txt", "hello\n"}, {"b/c", ""}}, 1'795'825'709);
  EXPECT_EQ(tar.size(), (2U + 1U + 2U) * 512U);
  EXPECT_EQ(tar.substr(0, 6), std::string("a.txt\0", 6));
  EXPECT_EQ(tar.substr(100, 8), std::string("0000600\0", 8));
  EXPECT_EQ(tar.substr(124, 12), std::string("00000000006\0", 12));
  EXPECT_EQ(tar.substr(257, 8), std::string("ustar\0"
                                            "00",
                                            8));
  EXPECT_EQ(tar.substr(512, 7), std::string("hello\n\0", 7));
  EXPECT_EQ(tar.substr(1024, 4), std::string("b/c\0", 4));
}

TEST(Redactor, ReplacesWhoItIsButNotWhatItIs) {
  Redactor redactor({"default/web-0", "shop/db-0", "", "default/web-0"}, "node-1.example.com");
  EXPECT_EQ(redactor.redacted("default/web-0 10.240.1.2, shop/db-0: 8.8.8.8. db-0 [2a00:1450::1]:80 via 8.8.8.8/32\n"
                              "node-1.example.com 0e:f7:13:7a:22:03 00:28:29 fd00::1 web-01 6.1.0-28 192.0.2.1"),
            "default/pod-1 10.240.1.2, namespace-1/pod-2: public-1. pod-2 [public-2]:80 via public-1/32\n"
            "node 0e:f7:13:7a:22:03 00:28:29 fd00::1 web-01 6.1.0-28 192.0.2.1");
}

}  // namespace
}  // namespace cnio::cnioctl
