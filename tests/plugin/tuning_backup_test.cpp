// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What tuning keeps for its DEL, and that nothing is left of an ADD that fails.
#include "plugin/tuning_fixture.hpp"
#include "support/snapshot.hpp"

namespace cnio::test {
namespace {

using testing::ElementsAre;
using TuningBackup = TuningTest;

TEST_F(TuningBackup, IsTheReferencesFileWithTwoKeysMore) {
  PARITY("T-U12 U10");
  const std::string born = mac();
  Json keys = all_keys();
  keys["sysctl"] = {{"net.core.somaxconn", "66"}};
  set("core/somaxconn", "55");
  must_add(keys, pod_);
  const std::string text = read_file(backup_path());
  EXPECT_TRUE(text.starts_with("{\n \"mac\": \"" + born +
                               "\",\n \"promisc\": false,\n \"mtu\": 1500,\n \"allmulti\": false,\n \"txQLen\": 1000,\n"
                               " \"sysctl\": {\n  \"core/somaxconn\": {\n   \"before\": \"55\",\n   \"set\": \"66\"\n"))
      << text;
  EXPECT_TRUE(text.ends_with("\n}")) << text;
  EXPECT_EQ(backup().at("cnio").at("network"), "net");
  EXPECT_EQ(backup().at("cnio").at("containerID"), "c1");
  EXPECT_EQ(backup().at("cnio").at("ifname"), "eth0");
  EXPECT_EQ(std::filesystem::status(backup_path()).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(std::filesystem::status(kBackups).permissions(), std::filesystem::perms(0700));
  EXPECT_EQ(std::filesystem::status("/run/cni").permissions(), std::filesystem::perms(0700));
}

TEST_F(TuningBackup, HoldsOnlyWhatIsConfigured) {
  PARITY("T-U12");
  must_add(config({{"mtu", 1400}}), pod_);
  Json whole = backup();
  whole.erase("cnio");
  EXPECT_EQ(whole, Json({{"mtu", 1500}}));
  must_del(config({{"mtu", 1400}}), pod_);
  must_add(config({{"promisc", false}, {"mtu", 0}, {"mac", ""}}), pod_);
  EXPECT_TRUE(backups().empty());
}

TEST_F(TuningBackup, ASecondAddKeepsTheOriginals) {
  PARITY("T-U13 U8");
  const std::string before = looks();
  set("core/somaxconn", "55");
  must_add(config({{"mtu", 1400}, {"sysctl", {{"net.core.somaxconn", "66"}}}}), pod_);
  Json again = all_keys();
  again["mtu"] = 1300;
  again["sysctl"] = {{"net.core.somaxconn", "77"}, {"net.ipv4.ip_forward", "1"}};
  must_add(again, pod_);
  EXPECT_EQ(backup().at("mtu"), 1500);
  must_del(again, pod_);
  EXPECT_EQ(looks(), before);
  EXPECT_EQ(value("core/somaxconn"), "55");
  EXPECT_EQ(value("ipv4/ip_forward"), "0");
}

TEST_F(TuningBackup, OfAnEarlierSandboxMeansNothing) {
  PARITY("U8");
  must_add(config({{"mtu", 1400}}), pod_);
  Json other = backup();
  other["mtu"] = 1111;
  other["cnio"]["sandbox"] = 1;
  write_file(backup_path(), other.dump());
  std::filesystem::permissions(backup_path(), std::filesystem::perms(0600));
  must_del(config({{"mtu", 1400}}), pod_);
  EXPECT_EQ(link().at("mtu"), 1400) << "these are not its values";
  EXPECT_TRUE(backups().empty());
}

TEST_F(TuningBackup, WhatCannotBePutBackGoes) {
  PARITY("T-U14 U9");
  const auto gone_by = [&](const std::function<Attachment()>& change) {
    must_add(config({{"mtu", 1400}}), pod_);
    ASSERT_EQ(backups().size(), 1U);
    const Attachment attachment = change();
    EXPECT_TRUE(succeeded_silently(del(config({{"mtu", 1400}}), attachment)));
    EXPECT_TRUE(backups().empty());
  };
  Attachment gone = pod_;
  gone.netns = "";
  gone_by([&] { return gone; });
  gone.netns = "/run/netns/none";
  gone_by([&] { return gone; });
  gone.netns = make_folder("plain") + "/file";
  write_file(gone.netns, "");
  gone_by([&] { return gone; });
  gone_by([&] {
    write_file(backup_path(), "{\"mtu\": 15");
    return pod_;
  });
  gone_by([&] {
    write_file(backup_path(), R"({"mac": "01:00:00:00:00:01", "mtu": 70000, "txQLen": 500})");
    return pod_;
  });
  EXPECT_EQ(link().at("txqlen"), 500) << "what can be put back is";
  gone_by([&] {
    remove_interface();
    return pod_;
  });
}

TEST_F(TuningBackup, DelNeedsNothingButTheNames) {
  PARITY("T-U02 T-U14 T-U23");
  const Json good = all_keys();
  std::vector<Json> broken(7, good);
  broken[0]["mac"] = 5;
  broken[1]["mtu"] = "x";
  broken[2].erase("prevResult");
  broken[3]["prevResult"] = {{"ips", 3}};
  broken[4]["sysctl"] = Json::array({1});
  broken[5]["args"] = 5;
  broken[6]["prevResult"]["cniVersion"] = "0.2.0";
  const std::string before = looks();
  for (const Json& each : broken) {
    must_add(good, pod_);
    EXPECT_TRUE(succeeded_silently(del(each, pod_))) << each.dump();
    EXPECT_EQ(looks(), before) << each.dump();
    EXPECT_TRUE(backups().empty()) << each.dump();
  }
}

TEST_F(TuningBackup, DelOfWhatWasNeverAddedSucceeds) {
  PARITY("T-U14");
  const std::string before = looks();
  EXPECT_TRUE(succeeded_silently(del(all_keys(), pod_)));
  EXPECT_EQ(looks(), before);
}

TEST_F(TuningBackup, NamesThatGiveOneFileNameKeepApart) {
  PARITY("U18");
  const Attachment first{"a", pod_.netns, "b_c", ""};
  const Attachment second{"a_b", add_netns("other"), "c", ""};
  must_run({"ip", "link", "add", "w1", "type", "veth", "peer", "name", "b_c", "netns", "c1"});
  must_run({"ip", "link", "add", "w2", "type", "veth", "peer", "name", "c", "netns", "other"});
  const std::string before_first = looks("b_c");
  const Json before_second = find_link("c", second.netns);
  Json keys = all_keys();
  must_add(keys, first);
  must_add(keys, second);
  must_add(keys, second);
  EXPECT_EQ(backups().size(), 2U);
  must_del(keys, first);
  EXPECT_EQ(looks("b_c"), before_first);
  EXPECT_EQ(find_link("c", second.netns).at("mtu"), 1400);
  EXPECT_TRUE(succeeded_silently(del(keys, first))) << "again";
  EXPECT_EQ(find_link("c", second.netns).at("mtu"), 1400);
  must_del(keys, second);
  EXPECT_EQ(find_link("c", second.netns), before_second);
  EXPECT_TRUE(backups().empty());
}

TEST_F(TuningBackup, DataDirMayBeElsewhere) {
  PARITY("T-U14");
  Json keys = config({{"mtu", 1400}, {"dataDir", "/run/deep/er"}});
  must_add(keys, pod_);
  EXPECT_THAT(backups("/run/deep/er"), ElementsAre("c1_eth0.json"));
  EXPECT_TRUE(succeeded_silently(del(config({{"mtu", 1400}}), pod_)));
  EXPECT_EQ(link().at("mtu"), 1400) << "another folder knows nothing of it";
  must_del(keys, pod_);
  EXPECT_EQ(link().at("mtu"), 1500);
  write_file("/run/plain", "");
  keys["dataDir"] = "/run/plain";
  EXPECT_TRUE(failed(add(keys, pod_), code::kIo, {"/run/plain"}));
  EXPECT_EQ(link().at("mtu"), 1500);
  EXPECT_TRUE(succeeded_silently(del(keys, pod_)));
  EXPECT_TRUE(failed(status(keys), code::kUnavailable, {"/run/plain"}));
}

// Folders of the reference have no x for their owner either.
TEST_F(TuningBackup, NeedsNoRightToEnterAnyFolder) {
  PARITY("T-U15 U10");
  for (const bool by_the_reference : {false, true}) {
    if (by_the_reference) {
      std::filesystem::permissions("/run/cni", std::filesystem::perms(0600));
      std::filesystem::permissions(kBackups, std::filesystem::perms(0600));
    }
    for (const char* verb : {"ADD", "DEL"}) {
      Command command = plugin_command({"tuning", verb, pod_, config({{"mtu", 1400}}).dump()});
      command.argv.insert(command.argv.begin(), {"setpriv", "--bounding-set=-dac_override,-dac_read_search",
                                                 "--inh-caps=-dac_override,-dac_read_search"});
      const Outcome outcome = run(command);
      EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
      EXPECT_EQ(link().at("mtu"), std::string(verb) == "ADD" ? 1400 : 1500);
    }
  }
}

// Whoever is not root, or can have been, writes no values that root sets.
TEST_F(TuningBackup, OfSomebodyElseIsNotBelieved) {
  PARITY("U9");
  const Json keys = config({{"mtu", 1400}});
  for (const bool linked : {false, true}) {
    must_add(keys, pod_);
    const std::string elsewhere = make_folder("elsewhere") + "/file";
    write_file(elsewhere, R"({"mtu": 1234})");
    std::filesystem::remove(backup_path());
    if (linked) {
      std::filesystem::create_symlink(elsewhere, backup_path());
    } else {
      std::filesystem::copy_file(elsewhere, backup_path());
      must_run({"chown", "4711", backup_path()});
    }
    EXPECT_TRUE(succeeded_silently(del(keys, pod_)));
    EXPECT_EQ(link().at("mtu"), 1400) << linked;
    must_run({"ip", "link", "set", "eth0", "mtu", "1500"}, pod_.netns);
    must_add(keys, pod_);
    must_del(keys, pod_);
    EXPECT_EQ(link().at("mtu"), 1500) << linked;
    EXPECT_EQ(read_file(elsewhere), R"({"mtu": 1234})");
    std::filesystem::remove(backup_path());
  }
}

TEST_F(TuningBackup, OfAPlaceOutsideOfNetIsNotWritten) {
  PARITY("U9");
  const std::string before = sysctl("kernel/sem");
  must_add(config({{"mtu", 1400}}), pod_);
  Json forged = backup();
  forged["sysctl"]["../kernel/sem"] = {{"before", "1 2 3 4"}, {"set", before}};
  forged["sysctl"]["ipv4/../../kernel/sem"] = {{"before", "1 2 3 4"}, {"set", before}};
  write_file(backup_path(), forged.dump());
  must_del(config({{"mtu", 1400}}), pod_);
  EXPECT_EQ(sysctl("kernel/sem"), before);
}

TEST_F(TuningBackup, GarbageIsCollected) {
  const Json keys = config({{"mtu", 1400}});
  Json other = keys;
  other["name"] = "other";
  for (const char* id : {"c1", "c2", "c3"}) must_add(keys, {id, pod_.netns, "eth0", ""});
  must_add(other, {"c4", pod_.netns, "eth0", ""});
  write_file(std::string(kBackups) + "/c5_eth0.json", R"({"mtu": 1500})");
  write_file(std::string(kBackups) + "/notes.txt", "mine");
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(keys, {{"c2", "eth0"}, {"c3", "eth1"}}))));
  std::vector<std::string> left = backups();
  std::sort(left.begin(), left.end());
  EXPECT_THAT(left, ElementsAre("c2_eth0.json", "c4_eth0.json", "c5_eth0.json", "notes.txt"));
  EXPECT_EQ(link().at("mtu"), 1400);
  std::filesystem::remove_all("/run/cni");
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(keys, {}))));
}

TEST_F(TuningBackup, NothingIsLeftOfAnAddWhoseAnswerNobodyReads) {
  PARITY("U12");
  set("core/somaxconn", "55");
  const std::string before = looks();
  Json keys = all_keys();
  keys["sysctl"] = {{"net.core.somaxconn", "66"}, {"net.ipv4.conf.all.forwarding", "1"}};
  Command command = plugin_command({"tuning", "ADD", pod_, keys.dump()});
  command.stdout_path = "/dev/full";
  EXPECT_EQ(run(command).exit_code, 1);
  EXPECT_EQ(looks(), before);
  EXPECT_EQ(value("core/somaxconn"), "55");
  EXPECT_EQ(value("ipv4/conf/all/forwarding"), "0");
  EXPECT_TRUE(backups().empty());
}

TEST_F(TuningBackup, AFailedSecondAddLeavesWhatTheFirstHasMade) {
  PARITY("U8 U12");
  must_add(config({{"mtu", 1400}}), pod_);
  const std::string kept = read_file(backup_path());
  Command command = plugin_command({"tuning", "ADD", pod_, all_keys().dump()});
  command.stdout_path = "/dev/full";
  EXPECT_EQ(run(command).exit_code, 1);
  EXPECT_EQ(read_file(backup_path()), kept);
  EXPECT_EQ(link().at("mtu"), 1400);
  must_del(config({{"mtu", 1400}}), pod_);
  EXPECT_EQ(link().at("mtu"), 1500);
}

}  // namespace
}  // namespace cnio::test
