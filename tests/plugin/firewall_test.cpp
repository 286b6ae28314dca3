// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// firewall: what it writes, and whose it is. What passes: firewall_traffic_test.cpp.
#include "plugin/firewall_fixture.hpp"
#include "support/nft_monitor.hpp"

namespace cnio::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kBoth[] = "CNI firewall plugin rules (ingressPolicy: same-bridge|isolated)";

std::string jump(const std::string& chain, const std::string& comment, const std::string& target) {
  return "-A " + chain + " -m comment --comment \"" + comment + "\" -j " + target;
}

std::vector<std::string> with(std::vector<std::string> lines, const std::vector<std::string>& more) {
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

const std::vector<std::string> kFrame = {jump("FORWARD", "CNI firewall plugin rules", "CNI-FORWARD"),
                                         jump("CNI-FORWARD", "CNI firewall plugin admin overrides", "CNI-ADMIN")};

class Firewall : public FirewallTest {
 protected:
  static constexpr char kIptables[] = R"({"backend": "iptables"})";
  static Json iptables(const Json& more = Json::object()) {
    Json config = firewall_config({{"backend", "iptables"}});
    config.update(more);
    return config;
  }
  static Json nftables(const Json& more = Json::object()) {
    Json config = firewall_config({{"backend", "nftables"}});
    config.update(more);
    return config;
  }
  static Json isolated() { return iptables({{"ingressPolicy", "isolated"}}); }
  static Json same_bridge() { return iptables({{"ingressPolicy", "same-bridge"}}); }
};

TEST_F(Firewall, WritesTheRulesOfTheReferenceAndOneForMappedPorts) {
  PARITY("T-P50 P30");
  add_pod("c1", iptables(), dual_stack_config());
  EXPECT_THAT(rules(), ElementsAreArray(with(kFrame, pod_rules("10.1.0.2/32"))));
  EXPECT_THAT(rules("", "ip6tables"), ElementsAreArray(with(kFrame, pod_rules("fd01::2/128"))));
}

TEST_F(Firewall, TheResultIsThatOfTheChain) {
  const Json config = after_bridge("c1", iptables());
  EXPECT_EQ(must_add(config, pod()), config.at("prevResult"));
}

TEST_F(Firewall, AddTwiceIsOnce) {
  PARITY("T-P50");
  const Json config = add_pod("c1", isolated());
  const auto before = nft_objects();
  must_add(config, pod());
  EXPECT_EQ(nft_objects(), before);
}

TEST_F(Firewall, DelLeavesSharedChainsAloneAndCanBeRepeated) {
  PARITY("T-P50");
  const Json config = add_pod("c1", iptables());
  must_del(config, pod());
  EXPECT_THAT(rules(), ElementsAreArray(kFrame));
  must_del(config, pod());
  EXPECT_THAT(rules(), ElementsAreArray(kFrame));
}

TEST_F(Firewall, DelOnAnEmptyHostMakesNothing) {
  const auto before = Snapshot::of_host();
  must_del(iptables(), pod());
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(Firewall, DelNeedsNothingButTheAttachment) {
  PARITY("T-P51 P31");
  for (const Json& config : {iptables(), nftables(), isolated()}) {
    add_pod("c1", config);
    Attachment gone = pod();
    gone.netns.clear();
    must_del(firewall_config({{"backend", 7}, {"ingressPolicy", "foo"}, {"prevResult", "broken"}}), gone);
    EXPECT_THAT(rules_with("10.1.0.2"), IsEmpty()) << config.dump();
    EXPECT_THAT(nft_objects_with("10.1.0.2"), IsEmpty()) << config.dump();
    EXPECT_THAT(nft_objects_with("cnio_firewall"), IsEmpty()) << config.dump();
    must_del(bridge_config(), pod());
    std::filesystem::remove_all("/var/lib/cni");
  }
}

TEST_F(Firewall, DelLooksIntoEveryBackEnd) {
  PARITY("T-P65 P39");
  add_pod("c1", iptables());
  add_pod("c2", nftables());
  must_del(nftables(), pod("c1"));
  must_del(iptables(), pod("c2"));
  EXPECT_THAT(rules_with("10.1.0"), IsEmpty());
  EXPECT_THAT(nft_objects_with("10.1.0"), IsEmpty());
}

TEST_F(Firewall, ALateDelLeavesTheNextOwnerOfTheAddressAlone) {
  PARITY("T-P60 P32");
  for (const Json& config : {iptables(), nftables()}) {
    const Json first = add_pod("c1", config);
    must_add(first, pod("c2"));
    must_del(first, pod("c1"));
    EXPECT_TRUE(succeeded_silently(check(first, pod("c2")))) << config.dump();
    must_del(first, pod("c2"));
    EXPECT_THAT(nft_objects_with("10.1.0.2"), IsEmpty()) << config.dump();
    must_del(bridge_config(), pod("c1"));
    std::filesystem::remove_all("/var/lib/cni");
  }
}

TEST_F(Firewall, OneContainerOfTwoNetworksAndTwoInterfaces) {
  const Json one = add_pod("c1", iptables());
  Json other = one;
  other["name"] = "elsewhere";
  other["prevResult"]["ips"][0]["address"] = "10.1.0.99/24";
  must_add(other, pod());
  must_del(other, pod());
  EXPECT_THAT(rules_with("10.1.0.2/32"), ElementsAreArray(pod_rules("10.1.0.2/32")));
  must_del(one, pod("c1", "eth1"));
  EXPECT_THAT(rules_with("10.1.0.99/32"), IsEmpty());
}

TEST_F(Firewall, PoliciesAreThoseOfTheReferencePerBridge) {
  PARITY("T-P52");
  add_pod("c1", same_bridge());
  add_pod("c2", isolated(), other_bridge());
  const std::string drop = " -m comment --comment \"CNI firewall plugin rules (ingressPolicy: isolated)\" -j DROP";
  const std::string isolated_leaves =
      "-A CNI-ISOLATION-STAGE-1 -i br1 ! -o br1 -m comment --comment \"CNI firewall plugin rules (ingressPolicy: "
      "isolated)\" -j CNI-ISOLATION-STAGE-2";
  const std::string same_leaves =
      "-A CNI-ISOLATION-STAGE-1 -i br0 ! -o br0 -m comment --comment \"CNI firewall plugin rules (ingressPolicy: "
      "same-bridge)\" -j CNI-ISOLATION-STAGE-2";
  EXPECT_THAT(rules("FORWARD"), ElementsAre(jump("FORWARD", kBoth, "CNI-ISOLATION-STAGE-1"), kFrame[0]));
  EXPECT_THAT(rules("CNI-ISOLATION-STAGE-1"),
              ElementsAre("-A CNI-ISOLATION-STAGE-1 -s 10.2.0.2/32 -d 10.2.0.2/32 -i br1 -o br1 -j RETURN",
                          "-A CNI-ISOLATION-STAGE-1 -i br1 -o br1" + drop, isolated_leaves, same_leaves,
                          jump("CNI-ISOLATION-STAGE-1", kBoth, "RETURN")));
  const std::string to = " -m comment --comment \"" + std::string(kBoth) + "\" -j DROP";
  EXPECT_THAT(rules("CNI-ISOLATION-STAGE-2"),
              ElementsAre("-A CNI-ISOLATION-STAGE-2 -o br1" + to, "-A CNI-ISOLATION-STAGE-2 -o br0" + to,
                          jump("CNI-ISOLATION-STAGE-2", kBoth, "RETURN")));
}

TEST_F(Firewall, TheLastAddDecidesForItsBridge) {
  PARITY("T-P54 P35");
  for (const std::string backend : {"iptables", "nftables"}) {
    const auto with_policy = [&](const std::string& policy) {
      return firewall_config({{"backend", backend}, {"ingressPolicy", policy}});
    };
    add_pod("c1", with_policy("isolated"));
    add_pod("c2", with_policy("same-bridge"));
    EXPECT_THAT(rules_with("(ingressPolicy: isolated)"), IsEmpty()) << backend;
    EXPECT_THAT(rules_with("br0 -o br0"), IsEmpty()) << backend;
    add_pod("c3", with_policy("open"));
    EXPECT_THAT(rules_with("ISOLATION"), IsEmpty()) << backend;
    EXPECT_THAT(rules_with("br0"), IsEmpty()) << backend;
    for (const char* id : {"c1", "c2", "c3"}) {
      must_del(with_policy("open"), pod(id));
      must_del(bridge_config(), pod(id));
    }
    EXPECT_THAT(nft_objects_with("cnio_firewall"), IsEmpty()) << backend;
    std::filesystem::remove_all("/var/lib/cni");
  }
}

TEST_F(Firewall, APolicyGoesWithTheLastPodOfItsBridge) {
  PARITY("T-P54 P35");
  add_pod("c1", isolated());
  add_pod("c2", isolated());
  add_pod("c3", same_bridge(), other_bridge());
  must_del(isolated(), pod("c1"));
  EXPECT_THAT(rules_with("-i br0"), SizeIs(3)) << "one loop, one drop, one jump";
  must_del(isolated(), pod("c2"));
  EXPECT_THAT(rules_with("br0"), IsEmpty());
  EXPECT_THAT(rules_with("br1"), SizeIs(2));
  must_del(of_network(same_bridge(), other_bridge()), pod("c3"));
  EXPECT_THAT(rules_with("ISOLATION"), IsEmpty());
}

TEST_F(Firewall, APolicyStaysWhileThereArePodsOfTheReference) {
  PARITY("P35");
  const Json theirs = after_bridge("c1", same_bridge());
  const Outcome made = reference("ADD", theirs, pod("c1"));
  ASSERT_EQ(made.exit_code, 0) << describe(made);
  add_pod("c2", same_bridge());
  must_del(same_bridge(), pod("c2"));
  EXPECT_THAT(rules_with("-i br0 ! -o br0"), SizeIs(1));
  must_del(theirs, pod("c1"));
  EXPECT_THAT(rules_with("ISOLATION"), IsEmpty());
}

TEST_F(Firewall, APolicyThatIsNoneIsRefusedBeforeAnyChange) {
  PARITY("T-P55 P36");
  const Json config = after_bridge("c1", iptables({{"ingressPolicy", "foo"}}));
  const auto before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"ingressPolicy", "foo"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(succeeded_silently(del(config, pod())));
}

TEST_F(Firewall, APolicyIsForTheBridgeOfThePodsCable) {
  PARITY("T-P56 P34");
  must_run({"ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1"});
  Json config = after_bridge("c1", same_bridge());
  config["prevResult"]["interfaces"][0]["name"] = "up0";
  must_add(config, pod());
  EXPECT_THAT(rules_with("up0"), IsEmpty());
  EXPECT_THAT(rules_with("br0"), SizeIs(2));
}

TEST_F(Firewall, APolicyNeedsABridge) {
  PARITY("T-P56 P34");
  const Json routed = must_add(ptp_config(), pod());
  const Json config = with_prev_result(same_bridge(), routed);
  const auto before = Snapshot::of_host();
  EXPECT_TRUE(failed(add(config, pod()), code::kConfig, {"ingressPolicy", "eth0"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  must_add(with_prev_result(iptables(), routed), pod());
  EXPECT_THAT(rules_with("10.1.0.2/32"), SizeIs(3));
}

TEST_F(Firewall, AnyOtherBackendCountsAsNone) {
  PARITY("T-P58 P33");
  const Json config = after_bridge("c1", firewall_config({{"backend", "foo"}}));
  const Outcome outcome = add(config, pod());
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("\"foo\""));
  EXPECT_THAT(rules_with("10.1.0.2"), SizeIs(3));
  for (const Json& backend : {Json(""), Json()}) {
    const Outcome quiet = add(after_bridge("c2", firewall_config({{"backend", backend}})), pod("c2"));
    EXPECT_EQ(quiet.exit_code, 0) << backend.dump();
    EXPECT_EQ(quiet.err, "") << backend.dump();
    must_del(bridge_config(), pod("c2"));
  }
}

TEST_F(Firewall, NativelyPodsAreElementsAndIptablesIsLeftAlone) {
  PARITY("T-P58 P33");
  const Json config = add_pod("c1", nftables(), dual_stack_config());
  EXPECT_THAT(rules(), IsEmpty());
  EXPECT_THAT(nft_objects_with("10.1.0.2"), SizeIs(2));
  EXPECT_THAT(nft_objects_with("fd01::2"), SizeIs(2));
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
  must_del(config, pod());
  EXPECT_THAT(nft_objects_with("cnio_firewall"), IsEmpty());
}

TEST_F(Firewall, NativelyTwoRulesOpenAChainOfIptables) {
  PARITY("T-P58 T-P69");
  drop_forwarded();
  add_pod("c1", nftables());
  add_pod("c2", nftables());
  EXPECT_THAT(rules(), ElementsAreArray(with(kFrame, {"-A CNI-FORWARD -m mark --mark 0x1000/0x1000 -j ACCEPT"})));
  EXPECT_THAT(must_run({"iptables-save"}), Not(HasSubstr("incompatible")));
}

TEST_F(Firewall, NeedsNoProgram) {
  PARITY("T-P61 P21 P22");
  const Json config = after_bridge("c1", firewall_config());
  for (const char* verb : {"ADD", "CHECK", "STATUS", "DEL"}) {
    Command command = plugin_command({"firewall", verb, pod(), config.dump()});
    command.env["PATH"] = "";
    EXPECT_EQ(run(command).exit_code, 0) << verb;
  }
}

TEST_F(Firewall, CheckMakesNothing) {
  PARITY("T-P62 P38");
  const Json config = after_bridge("c1", iptables());
  const auto before = Snapshot::of_host();
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"FORWARD"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(Firewall, CheckSeesEachRule) {
  PARITY("T-P62 P38");
  const Json config = add_pod("c1", isolated());
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
  const std::string saved = must_run({"iptables-save"});
  for (const std::string& rule : rules()) {
    if (rule.ends_with("RETURN") || rule.find("\" -j RETURN") != std::string::npos) continue;
    must_run({"sh", "-c", "iptables -D " + rule.substr(3)});
    EXPECT_TRUE(failed(check(config, pod()), code::kCheck)) << rule;
    must_add(config, pod());
    EXPECT_TRUE(succeeded_silently(check(config, pod()))) << rule;
  }
  must_run({"nft", "flush", "chain", "bridge", "cnio_firewall", "forward"});
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"bridge"}));
}

TEST_F(Firewall, CheckSeesEachNativeThing) {
  PARITY("T-P62 P38");
  drop_forwarded();
  const Json config = add_pod("c1", nftables({{"ingressPolicy", "isolated"}}));
  const std::vector<std::string> changes = {"nft flush chain inet cnio_firewall forward",
                                            "nft flush set inet cnio_firewall pods4",
                                            "nft flush set inet cnio_firewall bridges",
                                            "nft flush set inet cnio_firewall isolated",
                                            "nft flush set bridge cnio_firewall ports",
                                            "nft flush chain bridge cnio_firewall forward",
                                            "nft delete table bridge cnio_firewall",
                                            "iptables -F FORWARD",
                                            "iptables -D CNI-FORWARD -m mark --mark 0x1000/0x1000 -j ACCEPT"};
  for (const std::string& change : changes) {
    EXPECT_TRUE(succeeded_silently(check(config, pod()))) << change;
    must_run({"sh", "-c", change});
    EXPECT_TRUE(failed(check(config, pod()), code::kCheck)) << change;
    must_add(config, pod());
  }
}

TEST_F(Firewall, OldVersionsWorkAndTheBannerIsRead) {
  PARITY("T-P66 P41");
  for (const std::string& version : kAllVersions) {
    if (version < "0.3.0") continue;  // a result of these needs no chain
    const Json network = bridge_config({"10.1.0.0/24"}, version);
    const Json config = add_pod("c1", iptables(), network);
    EXPECT_THAT(rules_with("10.1.0.2"), SizeIs(3)) << version;
    must_del(config, pod());
    must_del(network, pod());
    std::filesystem::remove_all("/var/lib/cni");
  }
  Command about;
  about.argv = {plugin_dir() + "/firewall"};
  EXPECT_THAT(run(about).err, ::testing::MatchesRegex("CNI firewall plugin v[1-9][0-9]*\\.[0-9]+\\.[0-9]+\n.*"));
}

TEST_F(Firewall, SharedRulesExistOnceAfterManyAtATime) {
  PARITY("T-P67 P18");
  constexpr int kPods = 24;
  std::vector<Json> configs;
  for (int i = 0; i < kPods; ++i) configs.push_back(after_bridge("p" + std::to_string(i), isolated()));
  for (const char* verb : {"ADD", "DEL"}) {
    std::vector<Child> calls;
    for (int i = 0; i < kPods; ++i) {
      calls.emplace_back(plugin_command({"firewall", verb, pod("p" + std::to_string(i)), configs[i].dump()}));
    }
    for (Child& call : calls) {
      const Outcome outcome = call.wait();
      EXPECT_EQ(outcome.exit_code, 0) << describe(outcome);
    }
    if (std::string(verb) == "DEL") break;
    EXPECT_THAT(rules("FORWARD"), SizeIs(2));
    EXPECT_THAT(rules("CNI-FORWARD"), SizeIs(1 + 3 * kPods));
    EXPECT_THAT(rules_with("ISOLATION-STAGE-1 -i br0"), SizeIs(2));
  }
  EXPECT_THAT(rules(), ElementsAreArray(kFrame));
}

TEST_F(Firewall, GcTakesWhatIsDeadOfThisNetwork) {
  PARITY("T-P68 P1");
  for (const std::string backend : {"iptables", "nftables"}) {
    const Json config = firewall_config({{"backend", backend}, {"ingressPolicy", "isolated"}});
    add_pod("c1", config);
    add_pod("c2", config);
    add_pod("c3", config, other_bridge());
    EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(firewall_config(), {{"c1", "eth0"}}))));
    EXPECT_THAT(nft_objects_with("10.1.0.3"), IsEmpty()) << backend;
    EXPECT_THAT(nft_objects_with("10.1.0.2"), Not(IsEmpty())) << backend;
    EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(firewall_config(), {}))));
    EXPECT_THAT(nft_objects_with("10.1.0."), IsEmpty()) << backend;
    EXPECT_THAT(nft_objects_with("\"br0\""), IsEmpty()) << backend;
    EXPECT_THAT(nft_objects_with("10.2.0.2"), Not(IsEmpty())) << backend;
    for (const char* id : {"c1", "c2"}) must_del(bridge_config(), pod(id));
    must_del(of_network(config, other_bridge()), pod("c3"));
    must_del(other_bridge(), pod("c3"));
    std::filesystem::remove_all("/var/lib/cni");
  }
}

TEST_F(Firewall, MadeByTheReferenceAndBack) {
  PARITY("T-P50");
  const Json config = after_bridge("c1", iptables());
  ASSERT_EQ(reference("ADD", config, pod()).exit_code, 0);
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
  must_del(config, pod());
  EXPECT_THAT(rules_with("10.1.0.2"), IsEmpty());
  must_add(config, pod());
  const Outcome checked = reference("CHECK", config, pod());
  EXPECT_EQ(checked.exit_code, 0) << describe(checked);
  EXPECT_EQ(reference("DEL", config, pod()).exit_code, 0);
  EXPECT_THAT(rules_with("10.1.0.2"), SizeIs(1)) << "the one for mapped ports, which the reference does not know";
  must_del(config, pod());
  EXPECT_THAT(rules_with("10.1.0.2"), IsEmpty());
}

TEST_F(Firewall, ChainsOfOthersStayAsTheyAre) {
  PARITY("T-P69");
  must_feed({"iptables-restore"}, R"(*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:DOCKER-FORWARD - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-USER -s 198.51.100.0/24 -j DROP
COMMIT
)");
  const auto before = rules();
  const Json config = add_pod("c1", isolated());
  const std::string saved = must_run({"iptables-save"});
  EXPECT_THAT(saved, HasSubstr(":FORWARD DROP"));
  EXPECT_THAT(saved, Not(HasSubstr("incompatible")));
  const auto with_pod = rules();
  must_feed({"iptables-restore"}, saved);
  EXPECT_EQ(rules(), with_pod);
  must_del(config, pod());
  std::vector<std::string> after = rules();
  std::erase_if(after, [](const std::string& rule) { return rule.find("CNI") != std::string::npos; });
  EXPECT_EQ(after, before);
}

TEST_F(Firewall, StatusNamesChainsThatDrop) {
  PARITY("P1 T-P34");
  drop_forwarded();
  EXPECT_TRUE(succeeded_silently(status(iptables()))) << "ADD opens that";
  must_feed({"nft", "-f", "-"},
            "table inet mine { chain passing { type filter hook forward priority 5; policy drop; }; }\n"
            "table ip other { chain last { type filter hook forward priority 6; policy drop; }; }\n");
  for (const Json& config : {iptables(), nftables()}) {
    EXPECT_TRUE(failed(status(config), code::kUnavailable,
                       {"chain passing in table inet mine", "chain last in table ip other"}));
  }
  must_run({"nft", "add", "rule", "inet", "mine", "passing", "meta", "mark", "&", "0x1000", "!=", "0", "accept"});
  must_run({"nft", "delete", "table", "ip", "other"});
  EXPECT_TRUE(succeeded_silently(status(nftables())));
  EXPECT_THAT(nft_objects_with("CNI"), IsEmpty()) << "STATUS makes nothing";
}

TEST_F(Firewall, WhereTheOldTablesAreUsedRulesGoThere) {
  PARITY("P20");
  must_run({"iptables-legacy", "-P", "FORWARD", "DROP"});
  const auto old_rules = [](const std::string& text) {
    std::vector<std::string> lines = rules("", "iptables-legacy");
    std::erase_if(lines, [&](const std::string& line) { return line.find(text) == std::string::npos; });
    return lines;
  };
  const Json first = add_pod("c1", isolated());
  const Json second = add_pod("c2", isolated());
  must_add(second, pod("c2"));
  EXPECT_THAT(old_rules("-A FORWARD"), SizeIs(2));
  EXPECT_THAT(old_rules("-A CNI-FORWARD"), SizeIs(7));
  EXPECT_THAT(old_rules("-i br0"), SizeIs(4)) << "two loops, one drop, one jump";
  EXPECT_THAT(nft_objects_with("CNI"), IsEmpty());
  EXPECT_TRUE(succeeded_silently(check(first, pod("c1"))));
  const OutsideHost outside;
  outside.learn_route("10.1.0.0/24");
  EXPECT_TRUE(ping(pod("c1").netns, "192.0.2.2"));
  EXPECT_FALSE(ping(pod("c1").netns, "10.1.0.3"));
  must_del(firewall_config(), pod("c1"));
  EXPECT_TRUE(failed(check(first, pod("c1")), code::kCheck));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(firewall_config(), {}))));
  EXPECT_THAT(old_rules("10.1.0."), IsEmpty());
  EXPECT_THAT(old_rules("br0"), IsEmpty());
}

TEST_F(Firewall, AddressesOfTheHostGetNothing) {
  PARITY("P40");
  Json config = after_bridge("c1", iptables());
  config["prevResult"]["ips"].push_back({{"address", "10.9.0.1/24"}, {"interface", 0}});
  must_add(config, pod());
  EXPECT_THAT(rules_with("10.9.0.1"), IsEmpty());
  EXPECT_THAT(rules_with("10.1.0.2"), SizeIs(3));
}

TEST_F(Firewall, AFailedAddLeavesNothing) {
  for (const Json& config : {isolated(), nftables({{"ingressPolicy", "isolated"}})}) {
    const Json whole = after_bridge("c1", config);
    Command command = plugin_command({"firewall", "ADD", pod(), whole.dump()});
    command.stdout_path = "/dev/full";
    EXPECT_EQ(run(command).exit_code, 1);
    EXPECT_THAT(nft_objects_with("10.1.0.2"), IsEmpty()) << config.dump();
    EXPECT_THAT(nft_objects_with("cnio_firewall"), IsEmpty()) << config.dump();
    must_del(bridge_config(), pod());
    std::filesystem::remove_all("/var/lib/cni");
  }
}

// As portmap: nothing that the kernel would wait for a grace period for.
TEST_F(FirewallTest, BesideOthersOnlyAdds) {
  for (const char* backend : {"iptables", "nftables"}) {
    const Json config = firewall_config({{"backend", backend}, {"ingressPolicy", "same-bridge"}});
    const std::string id = backend;
    add_pod(id, config);
    const Json second = after_bridge(id + "-second", config);
    const NftMonitor changes;
    must_add(second, pod(id + "-second"));
    const std::string seen = changes.seen();
    EXPECT_THAT(seen, HasSubstr("10.1.0."));
    EXPECT_THAT(seen, Not(ContainsRegex("add chain|delete (chain|rule|element|set)"))) << backend;
  }
}

}  // namespace
}  // namespace cnio::test
