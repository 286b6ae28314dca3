// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <cctype>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

class BridgeCheck : public BridgeTest {
 protected:
  /// ADD, and the configuration that a runtime then passes to CHECK.
  Json added(const Json& config, const Attachment& attachment = pod()) {
    return with_prev_result(config, must_add(config, attachment));
  }
  void in_pod(std::vector<std::string> words) {
    words.insert(words.begin(), "ip");
    must_run(words, pod().netns);
  }
};

/// What somebody may do to an attachment, and a word that the complaint has to hold.
struct BridgeDamage {
  std::string name;
  std::vector<std::string> words;  ///< an `ip` command
  bool in_pod;
  std::string complaint;
};

void PrintTo(const BridgeDamage& damage, std::ostream* out) { *out << damage.name; }

class DamagedBridge : public BridgeCheck, public ::testing::WithParamInterface<BridgeDamage> {};

INSTANTIATE_TEST_SUITE_P(
    Table, DamagedBridge,
    ::testing::Values(
        BridgeDamage{"LinkGone", {"link", "del", "eth0"}, true, "eth0"},
        BridgeDamage{"MacChanged", {"link", "set", "eth0", "address", "02:00:00:00:00:77"}, true, "02:00:00:00:00:77"},
        BridgeDamage{"LinkDown", {"link", "set", "eth0", "down"}, true, "eth0"},
        BridgeDamage{"AddressGone", {"addr", "del", "10.1.0.2/24", "dev", "eth0"}, true, "10.1.0.2"},
        BridgeDamage{"Ipv6AddressGone", {"addr", "del", "fd01::2/64", "dev", "eth0"}, true, "fd01::2"},
        BridgeDamage{"DefaultRouteGone", {"route", "del", "default"}, true, "0.0.0.0/0"},
        BridgeDamage{"DefaultRouteElsewhere", {"route", "replace", "default", "via", "10.1.0.77"}, true, "0.0.0.0/0"},
        BridgeDamage{"StaticRouteGone", {"route", "del", "10.50.0.0/16"}, true, "10.50.0.0/16"},
        BridgeDamage{"BridgeDown", {"link", "set", "br0", "down"}, false, "br0"},
        BridgeDamage{"BridgeGone", {"link", "del", "br0"}, false, "br0"},
        BridgeDamage{"GatewayAddressGone", {"addr", "del", "10.1.0.1/24", "dev", "br0"}, false, "10.1.0.1"},
        BridgeDamage{"BridgeMacChanged", {"link", "set", "br0", "address", "02:00:00:00:00:88"}, false, "br0"},
        BridgeDamage{"ForeignAddressAdded", {"addr", "add", "10.77.0.1/24", "dev", "br0"}, false, ""}),
    [](const auto& test) { return test.param.name; });

TEST_P(DamagedBridge, IsNoticed) {
  PARITY("T57 T61 D10");
  Json config = dual_stack_config();
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "10.50.0.0/16"}])");
  config = added(config);
  ASSERT_TRUE(succeeded_silently(check(config, pod())));
  std::vector<std::string> argv{"ip"};
  argv.insert(argv.end(), GetParam().words.begin(), GetParam().words.end());
  must_run(argv, GetParam().in_pod ? pod().netns : "");
  if (GetParam().complaint.empty()) {
    EXPECT_TRUE(succeeded_silently(check(config, pod()))) << "nothing that CHECK promises was changed";
  } else {
    EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {GetParam().complaint}));
  }
}

class CheckEachVersion : public BridgeCheck, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, CheckEachVersion, ::testing::Values("0.4.0", "1.0.0", "1.1.0"),
                         [](const auto& test) { return "v" + identifier(test.param); });

TEST_P(CheckEachVersion, FreshAttachmentIsInOrder) {
  PARITY("T56");
  Json config = dual_stack_config(GetParam());
  config["ipMasq"] = true;
  EXPECT_TRUE(succeeded_silently(check(added(config), pod())));
}

TEST_F(BridgeCheck, OldPrevResultWithoutVersionsOfAddressesIsAccepted) {
  PARITY("T26");
  Json config = added(dual_stack_config("0.4.0"));
  for (Json& ip : config["prevResult"]["ips"]) ip.erase("version");
  config["prevResult"].erase("cniVersion");
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
}

TEST_F(BridgeCheck, NeedsPrevResult) {
  PARITY("T57");
  must_add(bridge_config(), pod());
  EXPECT_TRUE(failed(check(bridge_config(), pod()), code::kConfig, {"prevResult"}));
}

TEST_F(BridgeCheck, PrefixOfTheAddressCounts) {
  PARITY("T57");
  const Json config = added(bridge_config());
  in_pod({"addr", "del", "10.1.0.2/24", "dev", "eth0"});
  in_pod({"addr", "add", "10.1.0.2/16", "dev", "eth0"});
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"10.1.0.2"}));
}

TEST_F(BridgeCheck, HostEndDownOrOffTheBridge) {
  PARITY("T61 D10");
  const Json config = added(bridge_config());
  const std::string host = host_end(config.at("prevResult"));
  must_run({"ip", "link", "set", host, "nomaster"});
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {host}));
  must_run({"ip", "link", "set", host, "master", "br0"});
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
  must_run({"ip", "link", "set", host, "down"});
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {host}));
}

TEST_F(BridgeCheck, ReservationGone) {
  PARITY("T57");
  const Json config = added(bridge_config());
  std::filesystem::remove("/var/lib/cni/networks/net/10.1.0.2");
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"c1"}));
}

TEST_F(BridgeCheck, OtherContainer) {
  PARITY("T57");
  const Json config = added(bridge_config());
  Attachment other = pod();
  other.container = "c9";
  EXPECT_TRUE(failed(check(config, other), code::kCheck));
}

TEST_F(BridgeCheck, MasqueradeRulesGone) {
  PARITY("T61 D10");
  Json config = bridge_config();
  config["ipMasq"] = true;
  config = added(config);
  ASSERT_TRUE(succeeded_silently(check(config, pod())));
  must_run({"nft", "flush", "ruleset"});
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"masquerade"}));
}

TEST_F(BridgeCheck, PromiscuousModeMissing) {
  PARITY("T57");
  Json config = layer2_config();
  config["promiscMode"] = true;
  config = added(config);
  ASSERT_TRUE(succeeded_silently(check(config, pod())));
  must_run({"ip", "link", "set", "br0", "promisc", "off"});
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"promisc"}));
}

TEST_F(BridgeCheck, HairpinModeMissing) {
  PARITY("D10");
  Json config = layer2_config();
  config["hairpinMode"] = true;
  config = added(config);
  ASSERT_TRUE(succeeded_silently(check(config, pod())));
  must_run({"bridge", "link", "set", "dev", host_end(config.at("prevResult")), "hairpin", "off"});
  EXPECT_TRUE(failed(check(config, pod()), code::kCheck, {"hairpin"}));
}

TEST_F(BridgeCheck, Layer2IsInOrder) {
  PARITY("T58 D7");
  EXPECT_TRUE(succeeded_silently(check(added(layer2_config()), pod())));
}

TEST_F(BridgeCheck, OtherContainersDoNotMatter) {
  PARITY("T59 D8");
  const Json config = added(layer2_config());
  for (const char* id : {"c2", "c3", "c4"}) must_add(layer2_config(), pod(id));
  must_run({"ip", "link", "add", "lowest", "address", "00:00:00:00:00:01", "master", "br0", "type", "veth"});
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
  must_del(layer2_config(), pod("c3"));
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
}

TEST_F(BridgeCheck, RoutesInOtherTablesAndOfEqualDestination) {
  PARITY("T60 D9");
  Json config = dual_stack_config();
  config["ipam"]["routes"] = Json::parse(
      R"([{"dst": "10.50.0.0/16", "table": 100}, {"dst": "fd50::/32", "gw": "fd01::7"},
          {"dst": "fd50::/32", "gw": "fd01::8"}])");
  EXPECT_TRUE(succeeded_silently(check(added(config), pod())));
}

TEST_F(BridgeCheck, AddressWithoutASubnet) {
  PARITY("T60 D9");
  FakeIpam fake;
  fake.answer("ADD", Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.9/32"}]})"));
  const Outcome outcome = run(with_fake(fake, "ADD", fake_config(), pod()));
  ASSERT_TRUE(succeeded(outcome));
  const Json config = with_prev_result(fake_config(), Json::parse(outcome.out));
  EXPECT_TRUE(succeeded_silently(run(with_fake(fake, "CHECK", config, pod()))));
}

TEST_F(BridgeCheck, SomebodyListensOnTheBridge) {
  PARITY("T60 D9");
  const Json config = added(layer2_config());
  Command capture;
  capture.argv = {"tcpdump", "-i", "br0", "-w", "/dev/null", "--immediate-mode"};
  Child child(capture);
  ASSERT_TRUE(happens([] { return find_link("br0").value("promiscuity", 0) == 1; }));
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
}

TEST_F(BridgeCheck, OtherWordsForTheSame) {
  PARITY("T60 D9");
  Json config = added(bridge_config());
  std::string mac = config["prevResult"]["interfaces"][2]["mac"].get<std::string>();
  for (char& letter : mac) letter = static_cast<char>(std::toupper(letter));
  config["prevResult"]["interfaces"][2]["mac"] = mac;
  config["prevResult"]["interfaces"].push_back({{"name", "tap0"}, {"sandbox", "/elsewhere"}});
  EXPECT_TRUE(succeeded_silently(check(config, pod())));
  Attachment same_place = pod();
  same_place.netns = "/var/run/netns/c1";
  EXPECT_TRUE(succeeded_silently(check(config, same_place)));
}

TEST_F(BridgeCheck, ChangesNothing) {
  const Json config = added(dual_stack_config());
  const Snapshot host = Snapshot::of_host();
  const Snapshot sandbox = Snapshot::of(pod().netns);
  check(config, pod());
  EXPECT_TRUE(same(host, Snapshot::of_host()));
  EXPECT_TRUE(same(sandbox, Snapshot::of(pod().netns)));
}

}  // namespace
}  // namespace cnio::test
