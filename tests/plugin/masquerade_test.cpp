// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Masquerading with nf_tables, seen from outside. The iptables backend and what the reference leaves behind are in
// masquerade_iptables_test.cpp.
#include <set>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

constexpr int kPort = 9000;

class Masquerade : public BridgeTest {
 protected:
  Masquerade() { config_["ipMasq"] = true; }

  static bool has_rules(const std::string& address) { return !nft_objects_with("\"" + address + "\"").empty(); }

  static std::vector<std::string> rules_of_others() {
    std::vector<std::string> objects = nft_objects();
    std::erase_if(objects,
                  [](const std::string& text) { return text.find("\"cnio_masquerade\"") != std::string::npos; });
    return objects;
  }

  std::string seen_outside(const Attachment& attachment) const {
    return seen_as(attachment.netns, outside_.netns, "192.0.2.2");
  }

  const OutsideHost outside_;
  Json config_ = dual_stack_config();
};

TEST_F(Masquerade, OutsideSeesTheHostsAddress) {
  PARITY("T69");
  must_add(config_, pod());
  EXPECT_EQ(seen_as(pod().netns, outside_.netns, "192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_as(pod().netns, outside_.netns, "2001:db8::2"), "2001:db8::1");
}

// What docs/masquerade.md promises, and does not promise, after `nft flush ruleset`.
TEST_F(Masquerade, ATableThatWasSavedWorksAfterAFlush) {
  FAULT("E22 rules flushed");
  const Json call = with_prev_result(config_, must_add(config_, pod()));
  must_run({"sh", "-c", "nft list table inet cnio_masquerade >/run/saved.nft && nft flush ruleset"});
  EXPECT_TRUE(failed(check(call, pod()), code::kCheck, {"masquerading is incomplete"}));
  must_run({"nft", "-f", "/run/saved.nft"});
  EXPECT_TRUE(succeeded_silently(check(call, pod())));
  EXPECT_EQ(seen_outside(pod()), "192.0.2.1");
  must_del(call, pod());
  EXPECT_FALSE(has_rules("10.1.0.2"));
}

TEST_F(Masquerade, AFlushLastsUntilThePodIsMadeAnew) {
  FAULT("E22 rules flushed");
  const Json call = with_prev_result(config_, must_add(config_, pod()));
  must_run({"nft", "flush", "ruleset"});
  EXPECT_TRUE(failed(add(config_, pod()), code::kInTheWay, {"eth0 exists already"}));
  EXPECT_TRUE(failed(check(call, pod()), code::kCheck, {"masquerading is incomplete"}));
  must_add(config_, pod("c2"));
  EXPECT_EQ(seen_outside(pod("c2")), "192.0.2.1");
  EXPECT_TRUE(failed(check(call, pod()), code::kCheck, {"masquerading is incomplete"}));
  must_del(call, pod());
  must_add(config_, pod());
  EXPECT_EQ(seen_outside(pod()), "192.0.2.1");
}

TEST_F(Masquerade, NotConfiguredMeansThePodsOwnAddress) {
  outside_.learn_route("10.1.0.0/24");
  outside_.learn_route("fd01::/64");
  config_["ipMasq"] = false;
  must_add(config_, pod());
  EXPECT_EQ(seen_as(pod().netns, outside_.netns, "192.0.2.2"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod().netns, outside_.netns, "2001:db8::2"), "fd01::2");
}

TEST_F(Masquerade, HostSeesThePodsOwnAddress) {
  must_add(config_, pod());
  EXPECT_EQ(seen_as(pod().netns, "", "10.1.0.1"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod().netns, "", "192.0.2.1"), "10.1.0.2");
}

TEST_F(Masquerade, NeighboursSeeThePodsOwnAddress) {
  must_add(config_, pod("c1"));
  must_add(config_, pod("c2"));
  // With these two switches bridged packets pass the rules as well: only the exception for the pod's subnet helps.
  set_sysctl("net/bridge/bridge-nf-call-iptables", "1");
  set_sysctl("net/bridge/bridge-nf-call-ip6tables", "1");
  EXPECT_EQ(seen_as(pod("c1").netns, pod("c2").netns, "10.1.0.3"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod("c1").netns, pod("c2").netns, "fd01::3"), "fd01::2");
}

TEST_F(Masquerade, MulticastKeepsItsSource) {
  PARITY("T69");
  must_add(config_, pod("c1"));
  must_add(config_, pod("c2"));
  set_sysctl("net/bridge/bridge-nf-call-iptables", "1");
  PeerServer server(pod("c2").netns, PeerServer::Kind::kUdp, kPort, "224.0.0.251", "eth0");
  send_from(pod("c1").netns, "224.0.0.251", kPort, "eth0");
  EXPECT_EQ(server.next_peer(), "10.1.0.2");
}

TEST_F(Masquerade, ExcludedDestinationsSeeThePodsOwnAddress) {
  outside_.learn_route("10.1.0.0/24");
  outside_.learn_route("fd01::/64");
  must_run({"ip", "addr", "add", "192.0.2.3/24", "dev", "eth0"}, outside_.netns);
  config_["ipMasqExclude"] = {"192.0.2.2/32", "198.51.100.0/24", "2001:db8::/64"};
  must_add(config_, pod());
  EXPECT_EQ(seen_as(pod().netns, outside_.netns, "192.0.2.2"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod().netns, outside_.netns, "2001:db8::2"), "fd01::2");
  EXPECT_EQ(seen_as(pod().netns, outside_.netns, "192.0.2.3"), "192.0.2.1") << "not in the list";
}

TEST_F(Masquerade, NeedsNoProgramOnTheHost) {
  PARITY("T65 T71 D23");
  for (const char* verb : {"ADD", "DEL"}) {
    Command command = plugin_command({"bridge", verb, pod(), config_.dump()});
    command.env["PATH"] = "/nowhere";
    EXPECT_TRUE(succeeded(run(command))) << verb;
  }
  EXPECT_FALSE(has_rules("10.1.0.2"));
}

TEST_F(Masquerade, TouchesNoTableButItsOwn) {
  PARITY("T71 D23");
  must_feed({"nft", "-f", "-"}, "table ip filter {\n chain FORWARD {\n type filter hook forward priority 0;\n }\n}\n");
  const std::vector<std::string> before = nft_objects();
  for (const Attachment& attachment : {pod("c1"), pod("c2")}) {
    must_add(config_, attachment);
    EXPECT_EQ(rules_of_others(), before);
  }
  must_del(config_, pod("c1"));
  EXPECT_EQ(rules_of_others(), before);
}

TEST_F(Masquerade, DeleteRemovesTheRules) {
  PARITY("T52");
  must_add(config_, pod("c1"));
  must_add(config_, pod("c2"));
  must_del(config_, pod("c2"));
  EXPECT_FALSE(has_rules("10.1.0.3"));
  EXPECT_FALSE(has_rules("fd01::3"));
  EXPECT_EQ(seen_outside(pod("c1")), "192.0.2.1");
}

TEST_F(Masquerade, DeleteFindsRulesWithoutNamespace) {
  PARITY("T53 D18");
  Attachment attachment = pod();
  must_add(config_, attachment);
  delete_netns("c1");
  must_del(config_, attachment);
  EXPECT_FALSE(has_rules("10.1.0.2"));
  attachment = pod("c2");
  must_add(config_, attachment);
  attachment.netns = "";
  must_del(config_, attachment);
  EXPECT_FALSE(has_rules("10.1.0.3"));
}

TEST_F(Masquerade, DeleteFindsRulesWithoutInterfaceOrAddress) {
  PARITY("T54 D19");
  must_add(config_, pod("c1"));
  must_run({"ip", "link", "del", "eth0"}, pod("c1").netns);
  must_del(config_, pod("c1"));
  EXPECT_FALSE(has_rules("10.1.0.2"));
  must_add(config_, pod("c2"));
  must_run({"ip", "addr", "flush", "dev", "eth0"}, pod("c2").netns);
  must_del(config_, pod("c2"));
  EXPECT_FALSE(has_rules("10.1.0.3"));
}

TEST_F(Masquerade, DeleteFindsRulesAfterAChangeOfTheConfiguration) {
  PARITY("T54 D19");
  Json changed = config_;
  changed["ipMasq"] = false;
  must_add(config_, pod("c1"));
  must_del(changed, pod("c1"));
  EXPECT_FALSE(has_rules("10.1.0.2"));
  changed = config_;
  changed["ipMasqBackend"] = "iptables";
  must_add(config_, pod("c2"));
  must_del(changed, pod("c2"));
  EXPECT_FALSE(has_rules("10.1.0.3"));
}

TEST_F(Masquerade, InterfacesOfOneContainerAreIndependent) {
  PARITY("T68 D22");
  must_add(config_, pod("c1", "eth0"));
  must_add(config_, pod("c1", "eth1"));
  EXPECT_TRUE(succeeded_silently(del(config_, pod("c1", "eth1"))));
  EXPECT_TRUE(has_rules("10.1.0.2"));
  EXPECT_FALSE(has_rules("10.1.0.3"));
  EXPECT_EQ(seen_outside(pod("c1")), "192.0.2.1");
}

TEST_F(Masquerade, NamesThatRunTogetherAreKeptApart) {
  PARITY("D22");
  config_["name"] = "a";
  must_add(config_, pod("bc"));
  Json other = bridge_config({"10.2.0.0/24"});
  other["name"] = "ab";
  other["bridge"] = "br1";
  other["ipMasq"] = true;
  must_add(other, pod("c"));
  must_del(other, pod("c"));
  EXPECT_EQ(seen_outside(pod("bc")), "192.0.2.1");
}

TEST_F(Masquerade, StaleRulesOfAnAttachmentAreReplaced) {
  PARITY("T70");
  must_add(config_, pod("c1"));
  must_add(config_, pod("c2"));
  // The node lost its state but for the rules: the pod comes back with another address.
  must_run({"ip", "link", "del", "eth0"}, pod("c1").netns);
  std::filesystem::remove("/var/lib/cni/networks/net/10.1.0.2");
  std::filesystem::remove("/var/lib/cni/networks/net/fd01::2");
  must_add(config_, pod("c1"));
  EXPECT_FALSE(has_rules("10.1.0.2"));
  EXPECT_EQ(seen_outside(pod("c1")), "192.0.2.1");
  EXPECT_EQ(seen_outside(pod("c2")), "192.0.2.1");
}

TEST_F(Masquerade, AddressThatWentToAnotherPodIsNotTakenFromIt) {
  PARITY("T70");
  must_add(config_, pod("old"));
  must_run({"ip", "link", "del", "eth0"}, pod("old").netns);
  std::filesystem::remove_all("/var/lib/cni/networks/net");
  must_add(config_, pod("new"));
  EXPECT_EQ(address_texts("eth0", pod("new").netns).at(0), "10.1.0.2/24");
  EXPECT_EQ(seen_outside(pod("new")), "192.0.2.1");
  must_del(config_, pod("old"));
  EXPECT_EQ(seen_outside(pod("new")), "192.0.2.1") << "the late DEL of the former holder";
}

TEST_F(Masquerade, ManyAttachmentsDoNotLengthenTheWayOfAPacket) {
  PARITY("T69");
  const auto hooked_rules = [] {
    std::set<std::string> hooked;
    std::size_t count = 0;
    for (const std::string& text : nft_objects()) {
      const Json object = Json::parse(text);
      if (object.contains("chain") && object["chain"].contains("hook")) hooked.insert(object["chain"]["name"].dump());
      if (object.contains("rule") && hooked.contains(object["rule"]["chain"].dump())) ++count;
    }
    return count;
  };
  config_ = bridge_config({"10.1.0.0/16"});
  config_["ipMasq"] = true;
  config_["isDefaultGateway"] = false;
  config_["isGateway"] = true;
  must_add(config_, pod("c1", "if0"));
  const std::size_t for_one = hooked_rules();
  EXPECT_GT(for_one, 0U);
  const int many = rounds(200);
  for (int number = 1; number < many; ++number) must_add(config_, pod("c1", "if" + std::to_string(number)));
  EXPECT_EQ(hooked_rules(), for_one);
  EXPECT_TRUE(has_rules("10.1.0." + std::to_string(many + 1)));
}

TEST_F(Masquerade, RepeatedAddAndDeleteLeaveNoGrowth) {
  must_add(config_, pod("c1"));
  must_del(config_, pod("c1"));
  const std::vector<std::string> frame = nft_objects();
  for (int turn = 0; turn < 3; ++turn) {
    must_add(config_, pod("c1"));
    must_del(config_, pod("c1"));
  }
  EXPECT_EQ(nft_objects(), frame);
}

TEST_F(Masquerade, WithoutIpamThereIsNothingToMasquerade) {
  PARITY("T65");
  Json config = layer2_config();
  config["ipMasq"] = true;
  must_add(config, pod());
  EXPECT_TRUE(nft_objects().empty());
}

TEST_F(Masquerade, RulesOfOthersSurvive) {
  must_feed({"nft", "-f", "-"}, R"(
    table inet cni_plugins_masquerade {
      chain masq_checks {
        ip saddr 10.1.0.77 masquerade comment "0123456789abcdef-0123456789abcdef, net: other, if: eth0, id: x"
      }
    }
    table ip nat {
      chain CNI-0123456789abcdef01234567 {
        accept
      }
      chain POSTROUTING {
        type nat hook postrouting priority srcnat;
        ip saddr 10.1.0.78 jump CNI-0123456789abcdef01234567
      }
    })");
  must_add(config_, pod());
  must_del(config_, pod());
  EXPECT_TRUE(has_rules("10.1.0.77"));
  EXPECT_TRUE(has_rules("10.1.0.78"));
}

}  // namespace
}  // namespace cnio::test
