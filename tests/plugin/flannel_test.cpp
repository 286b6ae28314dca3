// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// flannel with bridge and host-local, as on a node, and with a stand-in for bridge that records what it is told.
#include <unistd.h>

#include "plugin/flannel_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Flannel = FlannelTest;

TEST_F(Flannel, ConnectsAPodWithTheNodesSubnets) {
  PARITY("T-F34 T-F36");
  const Json result = must_add(config(), pod());
  EXPECT_EQ(address_texts("eth0", pod().netns), (std::vector<std::string>{"10.244.1.2/24", "fd01:0:0:1::2/64"}));
  EXPECT_EQ(result.at("cniVersion"), "1.1.0");
  EXPECT_EQ(find_link("eth0", pod().netns).at("mtu"), 1450);
  EXPECT_TRUE(ping(pod().netns, "10.244.1.1"));
  EXPECT_TRUE(ping(pod().netns, "fd01:0:0:1::1"));
  EXPECT_EQ(routes_to("10.244.0.0/16", pod().netns).size(), 1U);
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config(), result), pod())));
  must_del(config(), pod());
  EXPECT_TRUE(is_clean());
  must_del(config(), pod());
  EXPECT_TRUE(link_names(pod().netns).empty());
}

TEST_F(Flannel, AnswersInEachVersion) {
  PARITY("T-F34");
  write_file(kSubnetFile,
             "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n");
  for (const std::string& version : kAllVersions) {
    EXPECT_EQ(must_add(config("cbr0", version), pod()).at("cniVersion"), version);
    must_del(config("cbr0", version), pod());
  }
}

TEST_F(Flannel, WithoutASubnetSaysWhoGivesIt) {
  PARITY("T-F35 F21");
  std::filesystem::remove(kSubnetFile);
  EXPECT_TRUE(failed(add(config(), pod()), code::kIo, {kSubnetFile, "No such file", "flanneld"}));
  EXPECT_TRUE(failed(status(config()), code::kUnavailable, {kSubnetFile, "flanneld"}));
  const std::string whole = subnet_env();
  for (const std::string key : {"FLANNEL_MTU", "FLANNEL_IPMASQ"}) {
    std::string text = whole;
    text.replace(text.find(key), 7, "X");
    write_file(kSubnetFile, text);
    EXPECT_TRUE(failed(add(config(), pod()), code::kDecoding, {"is missing " + key, "flanneld"}));
    EXPECT_TRUE(failed(status(config()), code::kUnavailable, {"is missing " + key, "flanneld"}));
  }
  for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
           {whole + "FLANNEL_SUBNET\n", "line 7: FLANNEL_SUBNET has no"},
           {whole + "FLANNEL_SUBNET=10.244.", "line 7: FLANNEL_SUBNET: must be an IPv4 network"},
           {whole.substr(whole.find("FLANNEL_SUBNET")), "is there, but no FLANNEL_NETWORK"}}) {
    write_file(kSubnetFile, text);
    EXPECT_TRUE(failed(add(config(), pod()), code::kDecoding, {words}));
    EXPECT_TRUE(failed(status(config()), code::kUnavailable, {words}));
  }
  EXPECT_EQ(records(), 0U);
  write_file(kSubnetFile, whole);
  EXPECT_TRUE(succeeded_silently(status(config())));
}

TEST_F(Flannel, GoesWithoutConfigurationOrSubnet) {
  PARITY("T-F38");
  must_add(config(), pod());
  std::filesystem::remove(kSubnetFile);
  Json broken = config();
  broken["delegate"] = {{"type", 5}, {"name", "x"}};
  broken["ipam"] = "none";
  broken["dns"] = 7;
  broken["subnetFile"] = 5;
  must_del(broken, pod());
  EXPECT_TRUE(is_clean());
  must_del(broken, pod());
}

TEST_F(Flannel, GoesWithARecordThatNobodyUnderstands) {
  PARITY("T-F39 F25");
  for (const std::string text : {"", "{\"type\":\"bri", "[]", "null"}) {
    must_add(config(), pod());
    write_file(kRecord, text);
    must_del(config(), pod());
    EXPECT_TRUE(is_clean()) << text;
  }
}

TEST_F(Flannel, GoesWithARecordThatIsLost) {
  must_add(config(), pod());
  std::filesystem::remove(kRecord);
  must_del(config(), pod());
  EXPECT_TRUE(is_clean());
}

TEST_F(Flannel, TwoNetworksOfAPodAreTwo) {
  PARITY("T-F41 F27");
  write_file("/run/flannel/b.env", subnet_env("2"));
  Json second = config("netb");
  second["subnetFile"] = "/run/flannel/b.env";
  second["delegate"] = {{"bridge", "cni1"}};
  must_add(config(), pod());
  must_add(second, pod("c1", "net1"));
  EXPECT_EQ(records(), 2U);
  EXPECT_EQ(address_texts("net1", pod().netns), (std::vector<std::string>{"10.244.2.2/24", "fd01:0:0:2::2/64"}));
  must_del(config(), pod());
  EXPECT_EQ(link_names(pod().netns), (std::vector<std::string>{"net1"}));
  EXPECT_EQ(addresses_of("netb"), 2U);
  must_del(second, pod("c1", "net1"));
  EXPECT_TRUE(is_clean());
  EXPECT_EQ(addresses_of("netb"), 0U);
  EXPECT_TRUE(names_on_bridge("cni1").empty());
}

TEST_F(Flannel, TwoInterfacesInOneNetworkAreTwo) {
  PARITY("T-F41 F27");
  must_add(config(), pod());
  must_add(config(), pod("c1", "net1"));
  EXPECT_NE(address_texts("eth0", pod().netns), address_texts("net1", pod().netns));
  must_del(config(), pod("c1", "net1"));
  EXPECT_EQ(link_names(pod().netns), (std::vector<std::string>{"eth0"}));
  EXPECT_EQ(addresses_of("cbr0"), 2U);
  must_del(config(), pod());
  EXPECT_TRUE(is_clean());
}

TEST_F(Flannel, NoSubnetIsGivenOutByTwoNetworks) {
  PARITY("T-F41 F28");
  must_add(config(), pod());
  EXPECT_TRUE(failed(add(config("netb"), pod("c2")), code::kInTheWay, {"10.244.1.0/24", "\"cbr0\"", "\"netb\""}));
  EXPECT_EQ(records(), 1U);
  EXPECT_TRUE(link_names(pod("c2").netns).empty());
  must_add(config(), pod("c2"));
  for (const char* id : {"c1", "c2"}) must_del(config(), pod(id));
  must_add(config("netb"), pod());  // nobody is in the other network any more
  EXPECT_TRUE(failed(add(config(), pod("c2")), code::kInTheWay, {"\"netb\""}));
  must_del(config("netb"), pod());
  EXPECT_TRUE(is_clean("netb"));
}

TEST_F(Flannel, CheckSeesWhatIsGone) {
  PARITY("T-F45 F29");
  const Json asked = with_prev_result(config(), must_add(config(), pod()));
  must_run({"ip", "addr", "del", "10.244.1.2/24", "dev", "eth0"}, pod().netns);
  EXPECT_TRUE(failed(check(asked, pod()), code::kCheck, {"10.244.1.2"}));
  must_run({"ip", "addr", "add", "10.244.1.2/24", "dev", "eth0"}, pod().netns);
  std::filesystem::remove(kRecord);
  EXPECT_TRUE(failed(check(asked, pod()), code::kCheck, {kRecord}));
}

TEST_F(Flannel, CollectsWhatNobodyHasDeleted) {
  PARITY("T-F45 F21");
  for (const char* id : {"c1", "c2"}) must_add(config(), pod(id));
  must_add(config(), pod("c1", "net1"));
  must_run({"ip", "netns", "del", "c2"});
  std::filesystem::remove(kSubnetFile);
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config(), {{"c1", "eth0"}}))));
  EXPECT_EQ(records(), 1U);
  EXPECT_EQ(addresses_of("cbr0"), 2U);
  EXPECT_EQ(link_names(pod().netns), (std::vector<std::string>{"eth0"}));
  EXPECT_TRUE(failed(gc(config()), code::kConfig, {"valid-attachments"}));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config(), {}))));
  EXPECT_TRUE(is_clean());
}

// A delegate would refuse such an owner for ever, and of a copy it would remove what lives.
TEST_F(Flannel, CollectsRecordsThatDoNotBearTheirOwnersName) {
  const Json asked = with_prev_result(config(), must_add(config(), pod()));
  const Json record = Json::parse(read_file(kRecord));
  write_file(std::string(kRecord) + ".bak", record.dump());
  Json impossible = record;
  impossible["cnio"]["ifname"] = "../eth0";
  write_file("/var/lib/cni/flannel/c7", impossible.dump());
  const Outcome collected = gc(with_valid_attachments(config(), {{"c1", "eth0"}}));
  EXPECT_TRUE(succeeded(collected));
  EXPECT_THAT(collected.err, AllOf(HasSubstr("c1.bak"), HasSubstr("c7")));
  EXPECT_EQ(records(), 1U);
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config(), {{"c1", "eth0"}})))) << "it is said once";
  EXPECT_TRUE(succeeded_silently(check(asked, pod()))) << "what lives is left alone";
}

// Whoever can write them decides what root does.
TEST_F(Flannel, BelievesNothingThatOthersCanHaveWritten) {
  std::filesystem::permissions(kSubnetFile, std::filesystem::perms(0666));
  EXPECT_TRUE(failed(add(config(), pod()), code::kIo, {kSubnetFile, "0666"}));
  EXPECT_TRUE(failed(status(config()), code::kUnavailable, {kSubnetFile, "0666"}));
  std::filesystem::permissions(kSubnetFile, std::filesystem::perms(0644));
  ASSERT_EQ(chown(kSubnetFile, 1000, 0), 0);
  EXPECT_TRUE(failed(add(config(), pod()), code::kIo, {kSubnetFile, "user 1000"}));
  ASSERT_EQ(chown(kSubnetFile, 0, 0), 0);
  std::filesystem::create_directories("/var/lib/cni/flannel");
  ASSERT_EQ(chown("/var/lib/cni/flannel", 1000, 0), 0);
  EXPECT_TRUE(failed(add(config(), pod()), code::kIo, {"/var/lib/cni/flannel", "user 1000"}));
  EXPECT_TRUE(failed(status(config()), code::kUnavailable, {"/var/lib/cni/flannel", "user 1000"}));
  EXPECT_EQ(records(), 0U);
  ASSERT_EQ(chown("/var/lib/cni/flannel", 0, 0), 0);
  must_add(config(), pod());
  std::filesystem::permissions("/var/lib/cni/flannel", std::filesystem::perms(0777));
  EXPECT_TRUE(succeeded_silently(del(config(), pod()))) << "what is there is removed all the same";
  EXPECT_TRUE(is_clean());
}

TEST_F(Flannel, ReportsWhatIsMissingBesides) {
  PARITY("T-F45");
  Json other = config();
  other["delegate"]["type"] = "nowhere";
  EXPECT_TRUE(failed(status(other), code::kUnavailable, {"delegate", "nowhere"}));
  EXPECT_TRUE(failed(add(other, pod()), code::kIpam, {"delegate", "nowhere"}));
  EXPECT_EQ(records(), 0U);
  must_del(other, pod());
  other["delegate"]["type"] = "../bin/bridge";
  EXPECT_TRUE(failed(add(other, pod()), code::kConfig, {"delegate.type"}));
}

TEST_F(Flannel, HidesThePodsOnlyFromOutsideOfTheCluster) {
  PARITY("T-F44 F30");
  write_file(kSubnetFile, subnet_env("1", "false"));
  const OutsideHost outside;
  outside.learn_route("10.244.1.0/24");
  must_run({"ip", "addr", "add", "10.244.9.2/32", "dev", "lo"}, outside.netns);
  must_run({"ip", "link", "set", "lo", "up"}, outside.netns);
  must_run({"ip", "route", "add", "10.244.9.0/24", "via", "192.0.2.2"});
  must_add(config(), pod());
  EXPECT_EQ(seen_as(pod().netns, outside.netns, "10.244.9.2"), "10.244.1.2") << "a pod of another node";
  EXPECT_EQ(seen_as(pod().netns, outside.netns, "192.0.2.2"), "192.0.2.1");
}

class FlannelDelegate : public FlannelTest {
 protected:
  FlannelDelegate() {
    bridge_.answer("ADD", Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.244.1.2/24"}]})"));
  }
  Outcome call(const std::string& verb, const Json& configuration = config(), const Attachment& attachment = pod()) {
    return run(with_fake(bridge_, verb, configuration, attachment));
  }
  static Json error(int number) { return {{"cniVersion", "1.1.0"}, {"code", number}, {"msg", "no luck"}}; }

  FakeIpam bridge_{"bridge"};
};

TEST_F(FlannelDelegate, IsNeverFlannelNorCallsIt) {
  for (const char* patch : {R"({"ipam": {"type": "flannel"}})", R"({"delegate": {"type": "flannel"}})"}) {
    Json odd = config();
    odd.merge_patch(Json::parse(patch));
    EXPECT_TRUE(failed(call("ADD", odd), code::kConfig, {"must be another plugin"})) << patch;
    EXPECT_TRUE(succeeded_silently(call("DEL", odd))) << patch;
    for (const FakeCall& each : bridge_.calls()) EXPECT_EQ(each.stdin_bytes.find("flannel\"}"), std::string::npos);
  }
}

TEST_F(FlannelDelegate, IsToldTheSameByEachVerb) {
  PARITY("T-F34 T-F38 T-F45 F29");
  ASSERT_TRUE(succeeded(call("ADD")));
  const std::string added = bridge_.calls().at(0).stdin_bytes;
  EXPECT_EQ(added, told().dump());
  EXPECT_EQ(bridge_.calls().at(0).env.at("CNI_IFNAME"), "eth0");
  const Json result = {{"cniVersion", "1.1.0"}, {"ips", Json::array({{{"address", "10.244.1.2/24"}}})}};
  Json checked = told();
  checked["prevResult"] = result;
  EXPECT_TRUE(succeeded_silently(call("CHECK", with_prev_result(config(), result))));
  EXPECT_EQ(Json::parse(bridge_.calls().at(1).stdin_bytes), checked);
  EXPECT_TRUE(succeeded_silently(call("STATUS")));
  EXPECT_EQ(bridge_.calls().at(2).stdin_bytes, added);
  write_file(kSubnetFile, subnet_env("7"));
  Json collected = config();
  collected["delegate"]["mtu"] = 9000;
  EXPECT_TRUE(succeeded_silently(call("GC", with_valid_attachments(collected, {{"c1", "eth0"}}))));
  EXPECT_NE(bridge_.calls().at(3).stdin_bytes.find("10.244.7.0/24"), std::string::npos);
  EXPECT_EQ(Json::parse(bridge_.calls().at(3).stdin_bytes).at("cni.dev/valid-attachments").size(), 1U);
  EXPECT_TRUE(succeeded_silently(call("DEL", collected)));
  EXPECT_EQ(bridge_.calls().at(4).stdin_bytes, added) << "whatever is configured by now";
  EXPECT_EQ(bridge_.commands(), (std::vector<std::string>{"ADD", "CHECK", "STATUS", "GC", "DEL"}));
}

TEST_F(FlannelDelegate, ThatFailsToDeleteIsAskedAgain) {
  PARITY("T-F40 F26");
  ASSERT_TRUE(succeeded(call("ADD")));
  bridge_.script("DEL", std::vector<FakeAnswer>{{.out = error(11).dump(), .exit_code = 1}, {}});
  EXPECT_TRUE(failed(call("DEL"), 11, {"no luck", "bridge"}));
  EXPECT_EQ(records(), 1U);
  EXPECT_TRUE(succeeded_silently(call("DEL")));
  EXPECT_EQ(records(), 0U);
  EXPECT_EQ(bridge_.calls().at(1).stdin_bytes, bridge_.calls().at(2).stdin_bytes);
}

TEST_F(FlannelDelegate, ThatFailsToAddLeavesNoRecord) {
  PARITY("T-F43");
  bridge_.fail("ADD", error(102));
  EXPECT_TRUE(failed(call("ADD"), 102, {"no luck"}));
  EXPECT_EQ(bridge_.commands(), (std::vector<std::string>{"ADD", "DEL"}));
  EXPECT_EQ(records(), 0U);
}

TEST_F(FlannelDelegate, LeavesALivingAttachmentAlone) {
  ASSERT_TRUE(succeeded(call("ADD")));
  const std::string record = read_file(kRecord);
  must_run({"ip", "link", "add", "eth0", "type", "veth"}, pod().netns);
  bridge_.fail("ADD", error(999));  // as the reference says it
  Json other = config();
  other["delegate"]["mtu"] = 1400;
  EXPECT_TRUE(failed(call("ADD", other), 999, {"no luck"}));
  EXPECT_EQ(bridge_.commands(), (std::vector<std::string>{"ADD", "ADD"}));
  EXPECT_EQ(read_file(kRecord), record);
}

TEST_F(FlannelDelegate, IsUndoneIfItsResultCannotBePassedOn) {
  Command command = with_fake(bridge_, "ADD", config(), pod());
  command.argv = {"sh", "-c", "exec \"$0\" >&-", plugin_dir() + "/flannel"};
  EXPECT_NE(run(command).exit_code, 0);
  EXPECT_EQ(bridge_.commands(), (std::vector<std::string>{"ADD", "DEL"}));
  EXPECT_EQ(records(), 0U);
}

TEST_F(FlannelDelegate, WithoutRecordIsAskedAllTheSameButMayFailForWantOfASubnet) {
  PARITY("T-F38 T-F39");
  bridge_.fail("DEL", error(7));
  EXPECT_TRUE(failed(call("DEL"), 7, {"no luck"})) << "all is there that it needs";
  std::filesystem::remove(kSubnetFile);
  EXPECT_TRUE(succeeded_silently(call("DEL")));
  std::filesystem::create_directories("/var/lib/cni/flannel");
  write_file(kRecord, "torn");
  EXPECT_TRUE(failed(call("DEL"), 7, {"no luck"})) << "something was there";
  EXPECT_EQ(records(), 1U);
}

TEST_F(FlannelDelegate, ThatAReferencesAddDidNotFindHasNothingToDelete) {
  PARITY("T-F38");
  std::filesystem::create_directories("/var/lib/cni/flannel");
  write_file(kRecord, R"({"cniVersion":"1.1.0","name":"cbr0","type":"nowhere"})");
  EXPECT_TRUE(succeeded_silently(call("DEL")));
  EXPECT_TRUE(bridge_.commands().empty());
  EXPECT_EQ(records(), 1U) << "until GC comes";
  EXPECT_TRUE(succeeded_silently(call("GC", with_valid_attachments(config(), {}))));
  EXPECT_EQ(records(), 0U);
}

TEST_F(FlannelDelegate, ThatIsGoneIsWaitedFor) {
  ASSERT_TRUE(succeeded(call("ADD")));
  std::filesystem::rename(bridge_.path() + "/bridge", bridge_.path() + "/other");
  Command command = with_fake(bridge_, "DEL", config(), pod());
  command.env["CNI_PATH"] = bridge_.path();
  EXPECT_TRUE(failed(run(command), code::kIpam, {"bridge", "not found"}));
  EXPECT_EQ(records(), 1U);
}

TEST_F(FlannelDelegate, UnderstandsTheConfigurationOfNowIfNotThatOfThen) {
  PARITY("T-F38");
  std::filesystem::create_directories("/var/lib/cni/flannel");
  write_file(kRecord, R"({"cniVersion":"1.1.0","mtu":"x","name":"cbr0","type":"bridge"})");
  bridge_.script("DEL", std::vector<FakeAnswer>{{.out = error(7).dump(), .exit_code = 1}, {}});
  EXPECT_TRUE(succeeded_silently(call("DEL")));
  EXPECT_EQ(bridge_.calls().at(1).stdin_bytes, told().dump());
  EXPECT_EQ(records(), 0U);
}

TEST_F(FlannelDelegate, StaleRecordsAreDeletedByWhatTheySay) {
  PARITY("T-F45");
  ASSERT_TRUE(succeeded(call("ADD")));
  const std::string added = bridge_.calls().at(0).stdin_bytes;
  EXPECT_TRUE(succeeded_silently(call("GC", with_valid_attachments(config(), {}))));
  ASSERT_EQ(bridge_.commands(), (std::vector<std::string>{"ADD", "DEL", "GC"}));
  EXPECT_EQ(bridge_.calls().at(1).stdin_bytes, added);
  EXPECT_EQ(bridge_.calls().at(1).env.at("CNI_CONTAINERID"), "c1");
  EXPECT_EQ(bridge_.calls().at(1).env.at("CNI_IFNAME"), "eth0");
  EXPECT_EQ(records(), 0U);
}

}  // namespace
}  // namespace cnio::test
