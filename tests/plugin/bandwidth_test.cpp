// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// ADD, DEL, GC and STATUS of bandwidth; what CHECK sees is in bandwidth_check_test.cpp.
#include "plugin/bandwidth_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Bandwidth = BandwidthTest;

constexpr int64_t kContainerdsBurst = 4'294'967'295;
constexpr int64_t kCriosBurst = 34'359'738'359;
constexpr int64_t kKubeletsBurst = 2'147'483'647;
constexpr int64_t kFrame = 1'518;

TEST_F(Bandwidth, BothWaysHaveTheReferencesForm) {
  PARITY("T-U24 T-U25 U25");
  const Attachment c1 = pod();
  const Json whole = limited(c1);
  const std::string host = host_end_of(whole);
  EXPECT_EQ(ifb_of(whole), kReferencesName);
  EXPECT_THAT(root(host), HasSubstr("qdisc tbf 1:"));
  EXPECT_EQ(number(host, "rate"), 8) << "Mbit";
  EXPECT_EQ(number(host, "burst"), 100'000);
  EXPECT_EQ(number(host, "limit"), 25'000 + kFrame);
  EXPECT_THAT(root(kReferencesName), HasSubstr("qdisc tbf 1:"));
  EXPECT_EQ(number(kReferencesName, "rate"), 16);
  EXPECT_EQ(number(kReferencesName, "burst"), 200'000);
  EXPECT_EQ(number(kReferencesName, "limit"), 50'000 + kFrame);
  EXPECT_TRUE(redirects(host, kReferencesName));
  const Json ifb = find_link(kReferencesName);
  EXPECT_THAT(ifb.at("flags"), Contains("UP"));
  EXPECT_THAT(ifb.at("flags"), Contains("NOARP"));
  EXPECT_EQ(ifb.at("mtu"), 1'500);
  EXPECT_EQ(ifb.at("num_tx_queues"), 1);
  EXPECT_EQ(ifb.at("ifalias"), "cnio n/c1/eth0");
  EXPECT_TRUE(ping(c1.netns, "10.1.0.1"));
}

TEST_F(Bandwidth, OneDirectionIsItsHalf) {
  PARITY("T-U24");
  const Attachment c1 = pod("c1");
  const Json in = limited(c1, limits(8'000'000, 800'000, 0, 0));
  EXPECT_THAT(qdiscs(host_end_of(in)), SizeIs(1));
  EXPECT_THAT(ifbs(), IsEmpty());
  EXPECT_THAT(in.at("prevResult").at("interfaces"), SizeIs(3));
  const Attachment c2 = pod("c2");
  const Json out = limited(c2, limits(0, 0, 8'000'000, 800'000));
  EXPECT_THAT(qdiscs(host_end_of(out)), ElementsAre(HasSubstr("ingress ffff:")));
  EXPECT_THAT(ifbs(), SizeIs(1));
  for (const auto& [whole, attachment] : {std::pair(in, c1), std::pair(out, c2)}) {
    EXPECT_TRUE(succeeded_silently(check(whole, attachment)));
    must_del(whole, attachment);
    EXPECT_THAT(qdiscs(host_end_of(whole)), IsEmpty());
  }
  EXPECT_THAT(ifbs(), IsEmpty());
}

TEST_F(Bandwidth, TheIfbIsTheLastOfTheResult) {
  PARITY("T-U26");
  const Attachment c1 = pod();
  Json before = must_add(network(), c1);
  before["interfaces"].push_back({{"name", "tap0"}, {"sandbox", "a-virtual-machine"}});
  Json result = must_add(config(before, both_ways()), c1);
  const Json last = result["interfaces"].back();
  EXPECT_EQ(last, Json({{"name", kReferencesName}, {"mac", find_link(kReferencesName).at("address")}}));
  result["interfaces"].erase(result["interfaces"].size() - 1);
  EXPECT_EQ(result, before);
}

TEST_F(Bandwidth, EveryVersionIsSpoken) {
  PARITY("T-U27");
  for (const std::string& version : kAllVersions) {
    Json chained = chained_config("bandwidth", version);
    EXPECT_TRUE(succeeded(add(chained, pod()))) << version;
    EXPECT_TRUE(succeeded_silently(del(chained, pod()))) << version;
  }
}

// A zero says what absence says.
TEST_F(Bandwidth, TheConfigurationGoesBeforeTheRuntimeUnlessItHasNoLimit) {
  PARITY("T-U28 U22");
  const Attachment c1 = pod();
  Json whole = pod_config(c1);
  whole.update(limits(32'000'000, 3'200'000, 0, 0));
  Json made = added(whole, c1);
  EXPECT_EQ(number(host_end_of(made), "rate"), 32);
  EXPECT_THAT(ifbs(), IsEmpty());
  must_del(made, c1);
  whole = config(whole.at("prevResult"), both_ways());
  whole.update({{"ingressRate", 0}, {"ingressBurst", 0}, {"egressRate", nullptr}});
  made = added(whole, c1);
  EXPECT_EQ(number(host_end_of(made), "rate"), 8);
  EXPECT_THAT(ifbs(), SizeIs(1));
}

TEST_F(Bandwidth, WithoutLimitsNothingIsLookedAt) {
  PARITY("T-U29 U23");
  const Attachment c1 = pod();
  const Json result = must_add(network(), c1);
  Attachment lost = c1;
  lost.netns = "/run/netns/none";
  EXPECT_EQ(must_add(config(result, Json::object()), lost), result);
  EXPECT_THAT(all_qdiscs(), IsEmpty());
  Json without = config(result, Json::object());
  without.erase("prevResult");
  EXPECT_TRUE(failed(add(without, c1), code::kConfig, {"prevResult"}));
}

TEST_F(Bandwidth, TheLargestBurstIsThatOfTheReference) {
  PARITY("T-U30");
  const Attachment c1 = pod();
  const Json result = must_add(network(), c1);
  const Json most = added(config(result, limits(8'000'000'000, kCriosBurst - 8, 0, 0)), c1);
  EXPECT_EQ(number(host_end_of(most), "burst"), int64_t{1} << 32U) << root(host_end_of(most)) << " (tc rounds)";
  EXPECT_TRUE(failed(add(config(result, limits(8'000'000'000, kCriosBurst + 1, 0, 0)), c1), code::kConfig,
                     {"ingressBurst", "34359738360"}));
  EXPECT_EQ(number(host_end_of(most), "rate"), 8) << "Gbit: what was there stays";
}

// containerd and CRI-O send the largest number that they have.
TEST_F(Bandwidth, ABurstThatMeansNothingIsChosen) {
  PARITY("T-U31 U19 U20");
  const Attachment c1 = pod();
  const Json result = must_add(network(), c1);
  const std::string host = host_end(result);
  constexpr int64_t kRates[] = {1'000,      1'000'000,   10'000'000,    15'600'000,
                                16'000'000, 125'000'000, 1'000'000'000, 1'000'000'000'000'000};
  for (const int64_t burst : {kContainerdsBurst, kCriosBurst, kKubeletsBurst}) {
    for (const int64_t rate : kRates) {
      const Json made = added(config(result, limits(rate, burst, rate, burst)), c1);
      const int64_t queue = std::min<int64_t>(rate / 8 / 40 + kFrame, INT32_MAX);  // 25 ms and one frame
      EXPECT_LE(std::abs(number(host, "limit") - queue), 1) << rate << " " << burst;
      EXPECT_LE(std::abs(number(kReferencesName, "limit") - queue), 1);
      const int64_t bucket = std::min<int64_t>(std::max(rate / 80, 20 * kFrame), UINT32_MAX);
      EXPECT_NEAR(static_cast<double>(number(host, "burst")), static_cast<double>(bucket),
                  0.02 * static_cast<double>(bucket))
          << rate << " " << root(host);
      EXPECT_TRUE(succeeded_silently(check(made, c1))) << rate << " " << burst;
    }
  }
}

TEST_F(Bandwidth, TheQueueIsAsLongAsIsAskedFor) {
  PARITY("U20");
  const Attachment c1 = pod();
  Json whole = pod_config(c1, limits(8'000'000, kContainerdsBurst, 0, 0));
  whole["latency"] = 100;
  const Json made = added(whole, c1);
  EXPECT_EQ(number(host_end_of(made), "limit"), 100'000 + kFrame);
  EXPECT_TRUE(succeeded_silently(check(made, c1)));
  for (const Json& wrong : {Json(0), Json(10'001), Json("25ms"), Json(2.5)}) {
    whole["latency"] = wrong;
    EXPECT_TRUE(failed(add(whole, c1), code::kConfig, {"latency"})) << wrong.dump();
  }
}

TEST_F(Bandwidth, NoBurstIsSmallerThanAPacket) {
  PARITY("T-U32 U21");
  const Attachment c1 = pod();
  const Json whole = limited(c1, limits(80'000'000, 8'000, 80'000'000, 1));
  for (const std::string& link : {host_end_of(whole), ifb_of(whole)}) {
    EXPECT_LE(std::abs(number(link, "burst") - kFrame), 10) << root(link) << " (tc rounds)";
  }
  Command large{{"ping", "-c", "1", "-W", "2", "-s", "1400", "10.1.0.1"}};
  large.netns = c1.netns;
  EXPECT_EQ(run(large).exit_code, 0);
  EXPECT_TRUE(succeeded_silently(check(whole, c1)));
}

// The reference gives both interfaces' ifbs one name.
TEST_F(Bandwidth, TwoInterfacesOfAContainerAreKeptApart) {
  PARITY("T-U34 U24");
  const Attachment first = pod("c1", "eth0");
  const Attachment second = pod("c1", "eth1");
  const Json one = limited(first);
  const Json two = limited(second);
  EXPECT_EQ(ifb_of(one), kReferencesName);
  EXPECT_THAT(ifb_of(two), ::testing::StartsWith("bwp"));
  EXPECT_NE(ifb_of(two), kReferencesName);
  must_del(two, second);
  EXPECT_THAT(ifbs(), ElementsAre(kReferencesName));
  EXPECT_TRUE(redirects(host_end_of(one), kReferencesName));
  EXPECT_TRUE(succeeded_silently(check(one, first)));
  EXPECT_TRUE(ping(first.netns, "10.1.0.1"));
  must_del(one, first);
  EXPECT_THAT(ifbs(), IsEmpty());
}

TEST_F(Bandwidth, NamesThatRunTogetherAreKeptApart) {
  PARITY("U24");
  const Attachment bc = pod("bc");
  const Attachment c = pod("c");
  const Json one = added(config(must_add(network("n"), bc), both_ways(), "n"), bc);
  Json other = network("nb");
  other["bridge"] = "br1";
  other["ipam"] = host_local_ipam({"10.2.0.0/24"});
  const Json two = added(config(must_add(other, c), both_ways(), "nb"), c);
  EXPECT_NE(ifb_of(one), ifb_of(two));
  must_del(two, c);
  EXPECT_TRUE(succeeded_silently(check(one, bc)));
  // Never added: nothing of the other's goes.
  Json never = one;
  never["name"] = "nb";
  EXPECT_TRUE(succeeded_silently(del(never, {"c", "", "eth0", ""})));
  never["name"] = "m";
  EXPECT_TRUE(succeeded_silently(del(never, bc)));
  EXPECT_TRUE(succeeded_silently(check(one, bc)));
}

TEST_F(Bandwidth, ComesAndGoesOnOneCable) {
  PARITY("T-U35 U25");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  const Json made = added(whole, c1);
  for (int turn = 0; turn < 3; ++turn) {
    must_add(whole, c1);
    EXPECT_TRUE(redirects(host_end_of(whole), kReferencesName));
    must_del(made, c1);
    EXPECT_THAT(all_qdiscs(), IsEmpty());
    EXPECT_THAT(filters(host_end_of(whole)), IsEmpty());
    EXPECT_THAT(ifbs(), IsEmpty());
    EXPECT_TRUE(ping(c1.netns, "10.1.0.1"));
    must_del(made, c1);
  }
}

TEST_F(Bandwidth, AddAgainReplacesWhatWasThere) {
  PARITY("T-U35");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  must_add(whole, c1);
  const Json again = added(config(whole.at("prevResult"), limits(32'000'000, 3'200'000, 0, 0)), c1);
  EXPECT_EQ(number(host_end_of(whole), "rate"), 32);
  EXPECT_THAT(ifbs(), IsEmpty());
  EXPECT_THAT(qdiscs(host_end_of(whole)), SizeIs(1));
  EXPECT_TRUE(succeeded_silently(check(again, c1)));
}

// Cilium and others attach their programs to clsact.
TEST_F(Bandwidth, FiltersOfOthersStayInFront) {
  PARITY("T-U36 U27");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  const std::string host = host_end_of(whole);
  for (const std::string kind : {"clsact", "ingress"}) {
    must_tc("qdisc add dev " + host + " " + kind);
    must_tc("filter add dev " + host + " ingress pref 1 protocol ip u32 match ip dst 10.77.0.0/16 flowid 1:2");
    const auto before = filters(host, "ingress");
    const Json made = added(whole, c1);
    EXPECT_THAT(qdiscs(host), Contains(HasSubstr(kind)));
    const auto together = filters(host, "ingress");
    ASSERT_GT(together.size(), before.size());
    EXPECT_THAT(together[2], HasSubstr("pref 1 u32")) << "in front";
    EXPECT_THAT(together.back(), HasSubstr("index"));
    EXPECT_TRUE(succeeded_silently(check(made, c1)));
    EXPECT_TRUE(ping(c1.netns, "10.1.0.1"));
    must_del(made, c1);
    auto after = filters(host, "ingress");
    for (std::string& line : after) {  // tc leaves it out where all have the same
      if (const auto at = line.find(" parent ffff:"); at != std::string::npos) line.erase(at, 13);
    }
    EXPECT_EQ(after, before);
    EXPECT_THAT(ifbs(), IsEmpty());
    must_tc("qdisc del dev " + host + " " + kind);
  }
}

TEST_F(Bandwidth, BehindWhoeverIsLast) {
  PARITY("U27");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  const std::string host = host_end_of(whole);
  must_tc("qdisc add dev " + host + " clsact");
  must_tc("filter add dev " + host + " ingress pref 65534 protocol ip u32 match ip dst 10.77.0.0/16 flowid 1:2");
  must_del(added(whole, c1), c1);
  must_tc("filter add dev " + host + " ingress pref 65535 protocol ip u32 match ip dst 10.77.0.0/16 flowid 1:2");
  const auto before = filters(host, "ingress");
  EXPECT_TRUE(failed(add(whole, c1), code::kInTheWay, {host, "65535"}));
  EXPECT_EQ(filters(host, "ingress"), before);
  EXPECT_THAT(ifbs(), IsEmpty());
  EXPECT_EQ(root(host), "none");
}

TEST_F(Bandwidth, ADisciplineOfOthersIsRefusedByName) {
  PARITY("T-U36 U27");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  const std::string host = host_end_of(whole);
  must_tc("qdisc add dev " + host + " root handle 7: htb");
  EXPECT_TRUE(failed(add(whole, c1), code::kInTheWay, {host, "htb", "7:"}));
  EXPECT_THAT(qdiscs(host), ElementsAre(HasSubstr("htb 7:")));
  EXPECT_THAT(ifbs(), IsEmpty());
  must_del(whole, c1);
  EXPECT_THAT(qdiscs(host), ElementsAre(HasSubstr("htb 7:")));
  // It is in the way of nothing that the pod sends.
  EXPECT_TRUE(succeeded(add(config(whole.at("prevResult"), limits(0, 0, 8'000'000, 800'000)), c1)));
}

TEST_F(Bandwidth, ATakenNameIsNobodysLoss) {
  PARITY("T-U37 U24 U31");
  const Attachment c1 = pod();
  must_run({"ip", "link", "add", kReferencesName, "type", "veth", "peer", "name", "other"});
  const Json made = limited(c1);
  EXPECT_THAT(ifbs(), ElementsAre(ifb_of(made)));
  EXPECT_TRUE(succeeded_silently(check(made, c1)));
  must_del(made, c1);
  EXPECT_THAT(ifbs(), IsEmpty());
  EXPECT_FALSE(find_link(kReferencesName).is_null()) << "it is no ifb, and stays";
}

TEST_F(Bandwidth, AFailureLeavesNothing) {
  PARITY("T-U37 U26");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  // All names that it could have.
  for (int taken = 0; taken < 4; ++taken) {
    const Json made = added(whole, c1);
    must_del(made, c1);
    must_run({"ip", "link", "add", ifb_of(made), "type", "bridge"});
  }
  EXPECT_TRUE(failed(add(whole, c1), code::kInTheWay, {kReferencesName}));
  EXPECT_THAT(all_qdiscs(), IsEmpty());
  EXPECT_THAT(ifbs(), IsEmpty());
}

TEST_F(Bandwidth, AnAnswerThatNobodyReadsIsUndone) {
  PARITY("U26");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  Command command = plugin_command({"bandwidth", "ADD", c1, whole.dump()});
  command.stdout_path = "/dev/full";
  EXPECT_EQ(run(command).exit_code, 1);
  EXPECT_THAT(all_qdiscs(), IsEmpty());
  EXPECT_THAT(ifbs(), IsEmpty());
}

TEST_F(Bandwidth, OnlyACableOfThisHostCanBeLimited) {
  PARITY("T-U42 T-U39 U33");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  Json other = whole;
  other["prevResult"]["interfaces"][1]["name"] = "veth99";
  EXPECT_TRUE(failed(add(other, c1), code::kConfig, {"prevResult", host_end_of(whole)}));
  other = whole;
  other["prevResult"]["interfaces"][1]["sandbox"] = c1.netns;
  EXPECT_TRUE(failed(add(other, c1), code::kConfig, {"prevResult"}));
  must_run({"ip", "link", "add", "link", "br0", "name", "mv0", "type", "macvlan"});
  must_run({"ip", "link", "set", "mv0", "netns", c1.netns});
  EXPECT_TRUE(failed(add(whole, {"c1", c1.netns, "mv0", ""}), code::kConfig, {"mv0", "macvlan"}));
  EXPECT_TRUE(failed(add(whole, {"c1", c1.netns, "eth7", ""}), code::kConfig, {"eth7"}));
  must_run({"ip", "link", "set", host_end_of(whole), "netns", add_netns("elsewhere")});
  EXPECT_TRUE(failed(add(whole, c1), code::kConfig, {"eth0", "not on this host"}));
  EXPECT_THAT(all_qdiscs(), IsEmpty());
  EXPECT_THAT(ifbs(), IsEmpty());
}

TEST_F(Bandwidth, DelNeedsNothingButTheNames) {
  PARITY("T-U40 U30");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  std::vector<Json> broken(8, added(whole, c1));
  broken[0].erase("runtimeConfig");
  broken[1]["runtimeConfig"]["bandwidth"] = {{"ingressRate", -1}, {"egressBurst", "x"}};
  broken[2]["runtimeConfig"] = 7;
  broken[3].erase("prevResult");
  broken[4]["prevResult"] = {{"interfaces", 3}};
  broken[5]["prevResult"] = {{"cniVersion", "0.2.0"}, {"ip4", {{"ip", "10.1.0.2/24"}}}};
  broken[6]["latency"] = "long";
  broken[7]["ingressRate"] = 5;
  for (const Json& each : broken) {
    for (const Attachment& attachment : {c1, nowhere(c1)}) {
      must_add(whole, c1);
      EXPECT_TRUE(succeeded_silently(del(each, attachment))) << each.dump();
      EXPECT_THAT(all_qdiscs(), IsEmpty()) << each.dump() << attachment.netns;
      EXPECT_THAT(ifbs(), IsEmpty());
    }
  }
}

TEST_F(Bandwidth, DelWithoutNamespaceFindsTheCableByTheRedirection) {
  PARITY("T-U40 U30");
  const Attachment c1 = pod();
  Json made = limited(c1);
  std::filesystem::remove_all("/run/cnio");
  made.erase("prevResult");
  EXPECT_TRUE(succeeded_silently(del(made, nowhere(c1))));
  EXPECT_THAT(all_qdiscs(), IsEmpty());
  EXPECT_THAT(ifbs(), IsEmpty());
}

TEST_F(Bandwidth, DelTakesOnlyIfbs) {
  PARITY("U31");
  must_run({"ip", "link", "add", kReferencesName, "type", "veth", "peer", "name", "other"});
  Json whole = {{"cniVersion", "1.1.0"}, {"name", "n"}, {"type", "bandwidth"}};
  must_del(whole, {"c1", "", "eth0", ""});
  EXPECT_FALSE(find_link(kReferencesName).is_null());
}

TEST_F(Bandwidth, AnIfbWhosePodIsGoneIsTakenOver) {
  PARITY("T-U41 U32");
  const Attachment c1 = pod();
  const Json made = limited(c1);
  must_run({"ip", "link", "del", host_end_of(made)});
  EXPECT_THAT(ifbs(), ElementsAre(kReferencesName));
  std::filesystem::remove_all("/var/lib/cni/networks");
  const Json again = limited(c1);
  EXPECT_THAT(ifbs(), ElementsAre(kReferencesName));
  EXPECT_TRUE(succeeded_silently(check(again, c1)));
}

TEST_F(Bandwidth, GcTakesWhatIsStaleOfThisNetwork) {
  PARITY("T-U41 U32");
  const Attachment dead = pod("dead");
  const Attachment living = pod("living");
  const Json gone = limited(dead);
  const Json lives = limited(living);
  Json other = network("other");
  other["bridge"] = "br1";
  other["ipam"] = host_local_ipam({"10.2.0.0/24"});
  const Attachment stranger = pod("stranger");
  const Json foreign = added(config(must_add(other, stranger), both_ways(), "other"), stranger);
  must_run({"ip", "link", "add", "ifb7", "type", "ifb"});
  Json config = {{"cniVersion", "1.1.0"}, {"name", "n"}, {"type", "bandwidth"}};
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config, {{"living", "eth0"}}))));
  EXPECT_THAT(ifbs(), ::testing::UnorderedElementsAre("ifb7", ifb_of(lives), ifb_of(foreign)));
  EXPECT_THAT(qdiscs(host_end_of(gone)), IsEmpty());
  EXPECT_TRUE(succeeded_silently(check(lives, living)));
  EXPECT_TRUE(succeeded_silently(check(foreign, stranger)));
  EXPECT_TRUE(failed(gc(config), code::kConfig, {"cni.dev/valid-attachments"}));
}

TEST_F(Bandwidth, StatusTriesItAndChangesNothing) {
  PARITY("T-U29");
  const Json config = {{"cniVersion", "1.1.0"}, {"name", "n"}, {"type", "bandwidth"}};
  const auto before = link_names();
  EXPECT_TRUE(succeeded_silently(status(config)));
  EXPECT_EQ(link_names(), before);
  EXPECT_THAT(all_qdiscs(), IsEmpty());
  Json wrong = config;
  wrong["ingressRate"] = 1'000;
  EXPECT_TRUE(failed(status(wrong), code::kConfig, {"ingressBurst"}));
}

TEST_F(Bandwidth, ManyAtOnce) {
  constexpr int kPods = 20;
  std::vector<Json> configs;
  std::vector<Attachment> pods;
  for (int number = 0; number < kPods; ++number) {
    pods.push_back(pod("c" + std::to_string(number)));
    configs.push_back(pod_config(pods.back()));
  }
  for (const char* verb : {"ADD", "DEL"}) {
    std::vector<Child> all;
    for (size_t i = 0; i < pods.size(); ++i) {
      all.emplace_back(plugin_command({"bandwidth", verb, pods[i], configs[i].dump()}));
    }
    for (Child& child : all) EXPECT_TRUE(succeeded(child.wait()));
    EXPECT_THAT(ifbs(), SizeIs(std::string(verb) == "ADD" ? kPods : 0));
  }
  EXPECT_THAT(all_qdiscs(), IsEmpty());
}

}  // namespace
}  // namespace cnio::test
