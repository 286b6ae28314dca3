// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Pods that may do to their interfaces what they like (NET_ADMIN): what they say of themselves is no evidence.
#include "plugin/attachment_fixture.hpp"

namespace cnio::test {
namespace {

/// c1 is hostile; c2 and c3 have connections.
class HostilePod : public AttachmentTest {
 protected:
  HostilePod() {
    hostile_ = must_add(config_, pod("c1"));
    for (const char* id : {"c2", "c3"}) victims_.push_back(must_add(config_, pod(id)));
    outside_.learn_route("10.1.0.0/24");
    for (const char* id : {"c1", "c2", "c3"}) {
      EXPECT_EQ(seen_as(pod(id).netns, outside_.netns, "192.0.2.2"), "192.0.2.1");
      EXPECT_TRUE(ping(pod(id).netns, "10.1.0.1"));
    }
  }
  static void in_pod(const std::string& words) { must_run({"sh", "-ec", words}, pod().netns); }
  static bool connected(const std::string& address) {
    return must_run({"conntrack", "-L"}).find("src=" + address + " ") != std::string::npos;
  }
  void expect_victims_untouched() const {
    for (const Json& victim : victims_) {
      EXPECT_TRUE(connected(address_of(victim))) << address_of(victim);
      EXPECT_EQ(neighbour_mac(address_of(victim), "br0"), mac_of(victim));
      EXPECT_TRUE(store_holds(address_of(victim)));
    }
    EXPECT_EQ(host_ends().size(), 3U) << "two pods and the way out";
  }
  void expect_hostile_gone() const {
    expect_nothing_of("c1", "10.1.0.2");
    EXPECT_FALSE(connected("10.1.0.2"));
    expect_victims_untouched();
  }

  const Json config_ = full_config();
  OutsideHost outside_;
  Json hostile_;
  std::vector<Json> victims_;
};

/// What the pod does. $VICTIM is the MAC address of another one.
struct Trick {
  const char* name;
  const char* script;
};
void PrintTo(const Trick& trick, std::ostream* out) { *out << trick.name; }

const Trick kTricks[] = {
    {"ClaimsAddresses", "ip addr add 10.1.0.3/24 dev eth0; ip addr add 10.1.0.4/24 dev eth0"},
    {"ClaimsAddressesInsteadOfItsOwn",
     "ip addr flush dev eth0; ip addr add 10.1.0.3/24 dev eth0; ip addr add 10.1.0.4/24 dev eth0"},
    {"ClaimsAnAddressAndItsMac", "ip addr add 10.1.0.3/24 dev eth0; ip link set eth0 address $VICTIM"},
    {"ChangesItsMac", "ip link set eth0 address 02:00:00:00:00:77"},
    {"RenamesItsInterface", "ip link set eth0 down; ip link set eth0 name lost"},
    {"PutsAnotherInItsPlace",
     "ip link set eth0 down; ip link set eth0 name lost; ip link add eth0 type veth peer name inner; "
     "ip addr add 10.1.0.3/24 dev eth0; ip link set eth0 up"},
    {"PutsABridgeInItsPlace",
     "ip link set eth0 down; ip link set eth0 name lost; ip link add eth0 type bridge; ip addr add 10.1.0.3/24 dev "
     "eth0"},
    {"DeletesItsInterface", "ip link del eth0"},
    {"DeletesItAndPutsAnotherInItsPlace",
     "I=$(cat /sys/class/net/eth0/ifindex 2>/dev/null || ip -o link show eth0 | cut -d: -f1); ip link del eth0; "
     "ip link add eth0 index $I type veth peer name inner; ip addr add 10.1.0.3/24 dev eth0"},
    {"MovesItAway", "ip link set eth0 netns attic"},
    {"MovesItAwayAndPutsAnotherInItsPlace",
     "I=$(ip -o link show eth0 | cut -d: -f1); ip link set eth0 netns attic; ip link add eth0 index $I type bridge; "
     "ip addr add 10.1.0.3/24 dev eth0"},
};

class BeforeDel : public HostilePod, public ::testing::WithParamInterface<Trick> {
 protected:
  BeforeDel() {
    add_netns("attic");
    in_pod("VICTIM=" + mac_of(victims_[0]) + "; " + GetParam().script);
  }
};
INSTANTIATE_TEST_SUITE_P(Pod, BeforeDel, ::testing::ValuesIn(kTricks),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(BeforeDel, GainsNothing) {
  FAULT("A2 pod's interfaces");
  must_del(config_, pod());
  expect_hostile_gone();
  must_del(config_, pod());
  expect_victims_untouched();
}

TEST_P(BeforeDel, GainsNothingWithAResult) {
  FAULT("A2 pod's interfaces");
  must_del(with_prev_result(config_, hostile_), pod());
  expect_hostile_gone();
  must_del(with_prev_result(config_, hostile_), pod());
  expect_victims_untouched();
}

TEST_P(BeforeDel, GainsNothingWithoutASandbox) {
  FAULT("A2 pod's interfaces");
  must_del(config_, nowhere(pod()));
  expect_hostile_gone();
}

TEST_P(BeforeDel, GainsNothingWithoutARecord) {
  FAULT("A2 pod's interfaces");
  lose_records();
  must_del(with_prev_result(config_, hostile_), pod());
  expect_hostile_gone();
}

TEST_P(BeforeDel, GainsNothingFromGc) {
  FAULT("A2 pod's interfaces");
  EXPECT_TRUE(succeeded_silently(gc(valid(config_, {"c2", "c3"}))));
  expect_nothing_of("c1", "10.1.0.2");
  expect_victims_untouched();
}

TEST_F(HostilePod, SwapsTheInterfacesOfItsTwoAttachments) {
  FAULT("A2 pod's interfaces");
  const Json second = must_add(config_, pod("c1", "eth1"));
  in_pod(
      "ip link set eth0 down; ip link set eth1 down; ip link set eth0 name tmp; ip link set eth1 name eth0; "
      "ip link set tmp name eth1; ip link set eth0 up");
  must_del(config_, pod());
  EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{"eth0"});
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_TRUE(store_holds(address_of(second)));
  EXPECT_EQ(find_link("eth0", pod().netns).at("address"), mac_of(second)) << "that of the second attachment";
  must_del(config_, pod("c1", "eth1"));
  EXPECT_TRUE(link_names(pod().netns).empty());
  expect_hostile_gone();
}

/// The same during ADD, while the IPAM plugin works.
class DuringAdd : public AttachmentTest, public ::testing::WithParamInterface<Trick> {};
INSTANTIATE_TEST_SUITE_P(Pod, DuringAdd, ::testing::ValuesIn(kTricks),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(DuringAdd, HurtsItselfAlone) {
  FAULT("A2 pod's interfaces");
  add_netns("attic");
  const Json victim = must_add(full_config(), pod("c2"));
  FakeIpam fake;
  fake.script("ADD", {{.out = R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.77/24"}]})",
                       .hook = std::string(kPairStands) + " && ip netns exec c1 sh -ec 'VICTIM=" + mac_of(victim) +
                               "; " + GetParam().script + "'"}});
  Json config = fake_config();
  config["macspoofchk"] = true;
  config["ipMasq"] = true;
  const Outcome outcome = run(with_fake(fake, "ADD", config, pod()));
  const std::vector<std::string> rule = nft_objects_with("\"comment\":\"macspoofchk-c1-eth0\"");
  if (outcome.exit_code == 0) {
    // With the MAC address that we chose, whatever the pod has made of it.
    EXPECT_EQ(nft_objects_with("\"right\":\"" + mac_of(Json::parse(outcome.out)) + "\"").size(), 1U);
    EXPECT_TRUE(nft_objects_with("02:00:00:00:00:77").empty());
    EXPECT_EQ(rule.size(), 4U);
    EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", config, pod()))));
  } else {
    EXPECT_NE(outcome.out.find("\"code\""), std::string::npos) << describe(outcome);
    EXPECT_TRUE(rule.empty());
  }
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "DEL"})) << describe(outcome);
  EXPECT_EQ(host_ends(), std::vector<std::string>{host_end(victim)});
  EXPECT_TRUE(nft_objects_with("10.1.0.77").empty());
  EXPECT_TRUE(nft_objects_with("macspoofchk-c1").empty());
  EXPECT_EQ(records(), 1U);
  EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1"));
}

// ---- a sandbox that is another by now

class WrongSandbox : public AttachmentTest, public ::testing::WithParamInterface<bool> {
 protected:
  WrongSandbox() {
    result_ = must_add(config_, pod("c1"));
    other_ = must_add(config_, pod("c2"));
    if (!GetParam()) lose_records();
  }
  void expect_other_untouched() const {
    EXPECT_EQ(link_names(pod("c2").netns), std::vector<std::string>{"eth0"});
    EXPECT_TRUE(store_holds("10.1.0.3"));
    EXPECT_FALSE(nft_objects_with("10.1.0.3").empty());
    EXPECT_TRUE(ping(pod("c2").netns, "10.1.0.1"));
  }
  const Json config_ = full_config();
  Json result_;
  Json other_;
};
INSTANTIATE_TEST_SUITE_P(Recorded, WrongSandbox, ::testing::Bool());

TEST_P(WrongSandbox, OfAnotherPodThatStaysAsItIs) {
  FAULT("C10 another pod's namespace");
  const Attachment mistaken = {"c1", pod("c2").netns, "eth0", ""};
  must_del(with_prev_result(config_, result_), mistaken);
  expect_nothing_of("c1", "10.1.0.2");
  EXPECT_TRUE(link_names(pod("c1").netns).empty());
  must_del(with_prev_result(config_, result_), mistaken);
  must_del(config_, mistaken);
  Json renamed = config_;
  renamed["name"] = "newnet";
  must_del(renamed, mistaken);
  expect_other_untouched();
}

TEST_P(WrongSandbox, OfAPodOfTheReference) {
  FAULT("C10 another pod's namespace");
  ASSERT_EQ(by_reference("ADD", config_, pod("c3")).exit_code, 0);
  const Attachment mistaken = {"c1", pod("c3").netns, "eth0", ""};
  must_del(with_prev_result(config_, result_), mistaken);
  EXPECT_EQ(link_names(pod("c3").netns), std::vector<std::string>{"eth0"});
  EXPECT_TRUE(store_holds("10.1.0.4"));
  EXPECT_TRUE(link_names(pod("c1").netns).empty());
  expect_nothing_of("c1", "10.1.0.2");
}

TEST_P(WrongSandbox, OfTheHostItself) {
  FAULT("C10 own namespace");
  must_run({"ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"});
  const Attachment mistaken = {"c1", "/proc/self/ns/net", "eth0", ""};
  const Outcome outcome = del(config_, mistaken);
  EXPECT_TRUE(succeeded_silently(outcome));
  EXPECT_FALSE(find_link("eth0").is_null());
  expect_nothing_of("c1", "10.1.0.2");
  EXPECT_TRUE(link_names(pod("c1").netns).empty());
  expect_other_untouched();
}

TEST_P(WrongSandbox, OfTheHostItselfWhenItIsMeant) {
  FAULT("D12 own namespace is meant");
  Command command = plugin_command({"bridge", "ADD", {"host", "/proc/self/ns/net", "pod0", ""}, config_.dump()});
  command.env["CNI_NETNS_OVERRIDE"] = "1";
  ASSERT_TRUE(succeeded(run(command)));
  ASSERT_FALSE(find_link("pod0").is_null());
  if (!GetParam()) lose_records();
  command.env["CNI_COMMAND"] = "DEL";
  const Outcome outcome = run(command);
  EXPECT_TRUE(succeeded_silently(outcome));
  EXPECT_EQ(outcome.err, "") << "nothing wrong is said";
  EXPECT_TRUE(find_link("pod0").is_null());
  EXPECT_FALSE(store_holds("10.1.0.4"));
  expect_other_untouched();
}

TEST_F(AttachmentTest, TheHostEndHasTheHighestMac) {
  FAULT("D12 host end's MAC");
  const Json result = must_add(full_config(), pod());
  EXPECT_EQ(find_link(host_end(result)).at("address").get<std::string>().substr(0, 3), "fe:");
  EXPECT_NE(mac_of(result).substr(0, 3), "fe:");
}

}  // namespace
}  // namespace cnio::test
