// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// A configuration that was broken after ADD: what it left behind is removed all the same, key by key and type by type.
#include <algorithm>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

const std::vector<std::string> kValues = {
    "null",
    "true",
    "false",
    "7",
    "-1",
    "5000",
    "1.5",
    "99999999999999999999",
    "\"\"",
    "\"text\"",
    "[]",
    "[7]",
    "[null]",
    "[\"x\"]",
    "[[]]",
    "[{}]",
    "[{\"id\": 9000}]",
    "{}",
    "{\"x\": 1}",
    "{\"cniVersion\": \"9\", \"ips\": [{\"address\": \"x\"}], \"interfaces\": [{\"name\": 7}]}"};

const std::vector<std::string> kKeys = {"bridge",
                                        "isGateway",
                                        "isDefaultGateway",
                                        "forceAddress",
                                        "allowOverlap",
                                        "ipMasq",
                                        "ipMasqBackend",
                                        "ipMasqExclude",
                                        "ipMasqOnly",
                                        "mtu",
                                        "vlan",
                                        "vlanTrunk",
                                        "preserveDefaultVlan",
                                        "macspoofchk",
                                        "portIsolation",
                                        "disableContainerInterface",
                                        "hairpinMode",
                                        "promiscMode",
                                        "enabledad",
                                        "hostIfPrefix",
                                        "deleteWhenEmpty",
                                        "prevResult",
                                        "type",
                                        "capabilities",
                                        "dns",
                                        "runtimeConfig",
                                        "args"};

/// The values that the key is tried with: all; with fewer rounds two, others for the next key, so that each has its
/// turn.
std::vector<std::string> values_for(const std::vector<std::string>& keys, const std::string& key) {
  const std::size_t step = kValues.size() / static_cast<std::size_t>(rounds(static_cast<int>(kValues.size())));
  const auto place = static_cast<std::size_t>(std::find(keys.begin(), keys.end(), key) - keys.begin());
  std::vector<std::string> values;
  for (std::size_t i = place % step; i < kValues.size(); i += step) values.push_back(kValues[i]);
  return values;
}

class BrokenKey : public BridgeTest, public ::testing::WithParamInterface<std::string> {
 protected:
  static Json good_config() {
    Json config = bridge_config();
    config["ipMasq"] = true;
    config["macspoofchk"] = true;
    return config;
  }
  static Outcome call(const std::string& verb, const Json& config, const Attachment& who) {
    return run(plugin_command({"bridge", verb, who, config.dump()}));
  }

  /// What outlives an attachment by design does not count: the bridge may be kept or, by a `deleteWhenEmpty` that can
  /// be read, go.
  static Snapshot state() {
    return Snapshot::of_host().without_device("br0").without_cursors().without_forwarding().without_masquerade_frame();
  }

  /// An attachment for each value. What its removal leaves, none of the others' takes away: to GC those before it are
  /// valid.
  void each_value_is_survived(const std::string& verb) {
    const Json good = good_config();
    ASSERT_TRUE(succeeded(call("ADD", good, pod())));
    ASSERT_TRUE(succeeded(call("DEL", good, pod())));
    const Snapshot before = state();
    std::vector<std::pair<std::string, std::string>> removed;
    for (const std::string& value : values_for(kKeys, GetParam())) {
      const Attachment who = pod("c1", "e" + std::to_string(removed.size()));
      ASSERT_TRUE(succeeded(call("ADD", good, who))) << value;
      Json broken = with_valid_attachments(good, removed);
      broken[GetParam()] = Json::parse(value);
      EXPECT_TRUE(succeeded_silently(call(verb, broken, who))) << GetParam() << ": " << value;
      EXPECT_EQ(link_names(who.netns), std::vector<std::string>{}) << GetParam() << ": " << value;
      removed.emplace_back(who.container, who.ifname);
    }
    EXPECT_TRUE(same(before, state())) << GetParam() << "; e0 had the first value, and so on";
    EXPECT_EQ(nft_objects_with("c1"), std::vector<std::string>{});
  }
};

INSTANTIATE_TEST_SUITE_P(Table, BrokenKey, ::testing::ValuesIn(kKeys), [](const auto& test) { return test.param; });

TEST_P(BrokenKey, DoesNotKeepDeleteFromRemovingEverything) {
  FAULT("C10 broken configuration");
  each_value_is_survived("DEL");
}

TEST_P(BrokenKey, DoesNotKeepGcFromRemovingEverything) {
  FAULT("C10 broken configuration");
  if (GetParam() == "bridge") return;  // where the bridge is looked for that has no name is GC's own matter
  each_value_is_survived("GC");
}

class BrokenConfig : public BridgeTest {};

TEST_F(BrokenConfig, ADeletedPodTakesItsEmptyBridgeWithItAllTheSame) {
  FAULT("C10 broken configuration");
  Json config = bridge_config();
  config["deleteWhenEmpty"] = true;
  must_add(config, pod());
  config["vlan"] = 5000;
  config["mtu"] = "large";
  EXPECT_TRUE(succeeded_silently(del(config, pod())));
  EXPECT_TRUE(find_link("br0").is_null());
  EXPECT_FALSE(store_holds("10.1.0.2"));
}

TEST_F(BrokenConfig, BrokenArgumentsDoNotMatterToDelete) {
  FAULT("C10 broken configuration");
  FakeIpam fake;
  fake.answer("ADD", {{"cniVersion", "1.1.0"}, {"ips", Json::array({{{"address", "10.1.0.2/24"}}})}});
  for (const char* args : {"FOO=BAR", "FOO", "A=1;", "MAC=zz", "IgnoreUnknown=yes", ";;=", "\xff"}) {
    ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_config(), pod())))) << args;
    Command command = with_fake(fake, "DEL", fake_config(), pod());
    command.env["CNI_ARGS"] = args;
    EXPECT_TRUE(succeeded_silently(run(command))) << args;
    EXPECT_EQ(names_on_bridge(), std::vector<std::string>{});
    EXPECT_EQ(fake.calls().back().command, "DEL");
  }
}

// Whoever gave the address cannot be asked; but link and rules go.
TEST_F(BrokenConfig, WithoutAReadableIpamTheLinkGoesAndTheAddressIsNotCalledFree) {
  FAULT("C10 broken configuration");
  for (const char* ipam : {"7", "\"host-local\"", "[]", R"({"type": 7})"}) {
    Json config = bridge_config();
    config["ipMasq"] = true;
    must_add(config, pod());
    Json broken = config;
    broken["ipam"] = Json::parse(ipam);
    (void)del(broken, pod());
    EXPECT_EQ(link_names(pod().netns), std::vector<std::string>{}) << ipam;
    EXPECT_EQ(names_on_bridge(), std::vector<std::string>{}) << ipam;
    EXPECT_EQ(nft_objects_with("c1"), std::vector<std::string>{}) << ipam;
    must_del(config, pod());
  }
}

// The name is no help then, and no other bridge is taken for it.
TEST_F(BrokenConfig, ABridgeThatCannotBeReadIsNotTheDefaultOne) {
  FAULT("C10 broken configuration");
  must_run({"ip", "link", "add", "cni0", "type", "bridge"});
  Json config = bridge_config();
  must_add(config, pod());
  config["deleteWhenEmpty"] = true;
  config["bridge"] = 7;
  EXPECT_TRUE(succeeded_silently(del(config, pod())));
  EXPECT_FALSE(find_link("cni0").is_null()) << "empty, but another's";
  EXPECT_EQ(names_on_bridge(), std::vector<std::string>{});
}

// ---- CNI_NETNS that leads to the host by now

TEST_F(BrokenConfig, DeleteFreesAllWhenThePidOfThePodIsTheHostsByNow) {
  FAULT("C10 own namespace");
  Json config = bridge_config();
  config["ipMasq"] = true;
  must_add(config, pod());
  delete_netns("c1");
  must_run({"ip", "link", "add", "eth0", "type", "bridge"});
  EXPECT_TRUE(succeeded_silently(del(config, {"c1", "/proc/self/ns/net", "eth0", ""})));
  EXPECT_FALSE(find_link("eth0").is_null()) << "it is the host's";
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_EQ(nft_objects_with("c1"), std::vector<std::string>{});
  EXPECT_EQ(names_on_bridge(), std::vector<std::string>{});
}

TEST_F(BrokenConfig, TheDelegateIsNotToldOfTheHostsNamespace) {
  FAULT("C10 own namespace");
  FakeIpam fake;
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "DEL", fake_config(), {"c1", "/proc/self/ns/net", "eth0", ""}))));
  ASSERT_EQ(fake.commands(), std::vector<std::string>{"DEL"});
  EXPECT_EQ(fake.calls().back().env.at("CNI_NETNS"), "");
}

// ---- loopback

TEST_F(BrokenConfig, LoopbackIsTakenDownWhateverItsConfigurationSays) {
  FAULT("C10 broken configuration");
  const Attachment who = pod("c1", "lo");
  const std::vector<std::string> keys = {"type", "capabilities", "ipam", "dns", "prevResult", "runtimeConfig", "args"};
  for (const std::string& key : keys) {
    for (const std::string& value : values_for(keys, key)) {
      must_add(loopback_config(), who);
      Json broken = loopback_config();
      broken[key] = Json::parse(value);
      Command command = plugin_command({"loopback", "DEL", who, broken.dump()});
      ASSERT_TRUE(succeeded_silently(run(command))) << key << ": " << value;
      ASSERT_EQ(find_link("lo", who.netns).at("flags").dump().find("\"UP\""), std::string::npos)
          << key << ": " << value;
      EXPECT_TRUE(
          succeeded_silently(run(plugin_command({"loopback", "GC", who, with_valid_attachments(broken, {}).dump()}))));
    }
  }
}

}  // namespace
}  // namespace cnio::test
