// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What CHECK of bandwidth sees, and pods that the reference has limited.
#include <functional>

#include "plugin/bandwidth_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using BandwidthCheck = BandwidthTest;
using BandwidthSwap = BandwidthTest;

struct Damage {
  std::string name;
  std::string what;  ///< a command; HOST and IFB are replaced
  std::vector<std::string> words;
};

const Damage kDamages[] = {
    {"RootGone", "tc qdisc del dev HOST root", {"host end", "none"}},
    {"RootOfAnotherKind", "tc qdisc replace dev HOST root bfifo", {"host end", "bfifo"}},
    {"OtherRate",
     "tc qdisc change dev HOST root handle 1: tbf rate 9mbit burst 100000 limit 26518",
     {"1125000 byte/s"}},
    {"OtherBurst", "tc qdisc change dev HOST root handle 1: tbf rate 8mbit burst 50000 limit 26518", {"ticks"}},
    {"OtherQueue", "tc qdisc change dev HOST root handle 1: tbf rate 8mbit burst 100000 limit 99999", {"99999"}},
    {"IngressGone", "tc qdisc del dev HOST ingress", {"redirection"}},
    {"FilterGone", "tc filter del dev HOST parent ffff:", {"redirection"}},
    {"IfbDown", "ip link set IFB down", {"IFB", "down"}},
    {"IfbGone", "ip link del IFB", {"redirection"}},
    {"IfbRootGone", "tc qdisc del dev IFB root", {"IFB", "none"}},
    {"IfbOtherRate", "tc qdisc change dev IFB root handle 1: tbf rate 9mbit burst 200000 limit 51518", {"IFB"}},
};

std::string with_names(std::string text, const std::string& host, const std::string& ifb) {
  for (const auto& [word, name] : {std::pair<std::string, std::string>("HOST", host), {"IFB", ifb}}) {
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word)) text.replace(at, word.size(), name);
  }
  return text;
}

TEST_F(BandwidthCheck, SeesEachThing) {
  PARITY("T-U38 U28");
  int number = 0;
  for (const Damage& damage : kDamages) {
    const Attachment attachment = pod("c" + std::to_string(number++));
    const Json made = limited(attachment);
    EXPECT_TRUE(succeeded_silently(check(made, attachment))) << damage.name;
    const std::string host = host_end_of(made);
    const std::string ifb = ifb_of(made);
    must_run({"sh", "-c", with_names(damage.what, host, ifb)});
    const auto before = all_qdiscs();
    std::vector<std::string> words = damage.words;
    for (std::string& word : words) word = with_names(word, host, ifb);
    EXPECT_TRUE(failed(check(made, attachment), code::kCheck, words)) << damage.name;
    EXPECT_EQ(all_qdiscs(), before) << damage.name;
    EXPECT_TRUE(succeeded_silently(del(made, attachment))) << damage.name;
    EXPECT_THAT(ifbs(), IsEmpty()) << damage.name;
  }
}

// `cnioctl resync` calls it: CHECK is content with the result of the first ADD.
TEST_F(BandwidthCheck, RepairPutsEachThingBack) {
  int number = 0;
  for (const Damage& damage : kDamages) {
    const Attachment attachment = pod("c" + std::to_string(number++));
    const Json made = limited(attachment);
    must_run({"sh", "-c", with_names(damage.what, host_end_of(made), ifb_of(made))});
    const Outcome outcome = run(plugin_command({"bandwidth", "CNIO_REPAIR", attachment, made.dump()}));
    // What somebody else has put in its place is not taken away.
    if (damage.name == "RootOfAnotherKind") {
      EXPECT_TRUE(failed(outcome, code::kInTheWay, {"bfifo"}));
    } else {
      EXPECT_EQ(outcome.exit_code, 0) << damage.name << describe(outcome);
      EXPECT_NE(Json::parse(outcome.out).at("repaired"), "") << damage.name;
      EXPECT_TRUE(succeeded_silently(check(made, attachment))) << damage.name;
    }
    EXPECT_TRUE(succeeded_silently(del(made, attachment))) << damage.name;
  }
}

TEST_F(BandwidthCheck, LimitsThatNobodyAskedForAreSeen) {
  PARITY("T-U38 U28");
  const Attachment c1 = pod();
  const Json made = limited(c1);
  const Json& result = made.at("prevResult");
  EXPECT_TRUE(failed(check(config(result, Json::object()), c1), code::kCheck, {"no limit"}));
  EXPECT_TRUE(failed(check(config(result, limits(8'000'000, 800'000, 0, 0)), c1), code::kCheck, {"no limit"}));
  EXPECT_TRUE(failed(check(config(result, limits(0, 0, 16'000'000, 1'600'000)), c1), code::kCheck, {"no limit"}));
  EXPECT_TRUE(failed(check(config(result, limits(8'000'000, 900'000, 16'000'000, 1'600'000)), c1), code::kCheck));
}

TEST_F(BandwidthCheck, TheResultHasToNameTheIfb) {
  PARITY("T-U38");
  const Attachment c1 = pod();
  Json made = limited(c1);
  Json other = made;
  other["prevResult"]["interfaces"].back()["mac"] = "02:00:00:00:00:09";
  EXPECT_TRUE(failed(check(other, c1), code::kCheck, {kReferencesName, "02:00:00:00:00:09"}));
  made["prevResult"]["interfaces"].erase(made["prevResult"]["interfaces"].size() - 1);
  EXPECT_TRUE(failed(check(made, c1), code::kCheck, {"prevResult", kReferencesName}));
  made.erase("prevResult");
  EXPECT_TRUE(failed(check(made, c1), code::kConfig, {"prevResult"}));
}

// It cannot be limited, and need not be.
TEST_F(BandwidthCheck, WithoutLimitsAnyInterfaceIsGood) {
  PARITY("T-U39 U29");
  const Attachment c1 = pod();
  const Json result = must_add(network(), c1);
  must_run({"ip", "link", "add", "link", "br0", "name", "mv0", "type", "macvlan"});
  must_run({"ip", "link", "set", "mv0", "netns", c1.netns});
  const Json whole = config(result, Json::object());
  const Attachment macvlan{"c1", c1.netns, "mv0", ""};
  EXPECT_TRUE(succeeded(add(whole, macvlan)));
  EXPECT_TRUE(succeeded_silently(check(whole, macvlan)));
  EXPECT_TRUE(succeeded_silently(check(whole, c1)));
}

// Its numbers wrap, which is its fault and not the pod's.
TEST_F(BandwidthSwap, WhatTheReferenceMadeIsGoodAndGoes) {
  PARITY("T-U25 T-U38 U19 U20");
  int number = 0;
  for (const int64_t burst : {int64_t{800'000}, int64_t{4'294'967'295}, int64_t{34'359'738'359}}) {
    for (const int64_t rate : {int64_t{1'000'000}, int64_t{8'000'000}, int64_t{1'000'000'000}}) {
      const Attachment attachment = pod("c" + std::to_string(number++));
      const Json made = added_by_reference(pod_config(attachment, limits(rate, burst, rate, burst)), attachment);
      EXPECT_TRUE(succeeded_silently(check(made, attachment))) << rate << " " << burst;
      EXPECT_TRUE(
          failed(check(config(made.at("prevResult"), limits(2 * rate, burst, rate, burst)), attachment), code::kCheck));
      must_del(made, attachment);
      EXPECT_THAT(all_qdiscs(), IsEmpty());
      EXPECT_THAT(ifbs(), IsEmpty());
    }
  }
}

TEST_F(BandwidthSwap, WhatTheReferenceMadeGoesWithoutNamespaceAndResult) {
  PARITY("T-U25 T-U40");
  const Attachment c1 = pod();
  Json made = added_by_reference(pod_config(c1), c1);
  EXPECT_THAT(ifbs(), ElementsAre(kReferencesName));
  made.erase("prevResult");
  std::filesystem::remove_all("/run/cnio");
  must_del(made, nowhere(c1));
  EXPECT_THAT(all_qdiscs(), IsEmpty());
  EXPECT_THAT(ifbs(), IsEmpty());
}

// It leaves the token bucket and a filter that leads nowhere.
TEST_F(BandwidthSwap, TheReferencesDelFindsOurs) {
  PARITY("T-U25");
  const Attachment c1 = pod();
  const Json whole = pod_config(c1);
  EXPECT_TRUE(succeeded(reference("DEL", added(whole, c1), c1)));
  EXPECT_THAT(ifbs(), IsEmpty());
  const Json again = added(whole, c1);
  EXPECT_TRUE(succeeded_silently(check(again, c1))) << "what it leaves is in nobody's way";
  EXPECT_TRUE(ping(c1.netns, "10.1.0.1"));
  EXPECT_TRUE(succeeded(reference("DEL", again, c1)));
  must_del(again, c1);
  EXPECT_THAT(all_qdiscs(), IsEmpty());
}

// The reference's ifb of a container's first interface has the name of its second.
TEST_F(BandwidthSwap, OneInterfaceEach) {
  PARITY("T-U34 U24");
  const Attachment first = pod("c1", "eth0");
  const Attachment second = pod("c1", "eth1");
  const Json theirs = added_by_reference(pod_config(first), first);
  const Json ours = limited(second);
  EXPECT_NE(ifb_of(ours), ifb_of(theirs));
  must_del(ours, second);
  EXPECT_TRUE(succeeded_silently(check(theirs, first)));
  EXPECT_TRUE(ping(first.netns, "10.1.0.1"));
  must_del(theirs, first);
  EXPECT_THAT(ifbs(), IsEmpty());
}

TEST_F(BandwidthSwap, AnIfbOfTheReferenceThatNobodyUsesIsTakenOver) {
  PARITY("T-U41 U32");
  const Attachment c1 = pod();
  const Json made = added_by_reference(pod_config(c1), c1);
  must_run({"ip", "link", "del", host_end_of(made)});
  std::filesystem::remove_all("/var/lib/cni/networks");
  EXPECT_EQ(ifb_of(limited(c1)), kReferencesName);
  EXPECT_THAT(ifbs(), ElementsAre(kReferencesName));
}

}  // namespace
}  // namespace cnio::test
