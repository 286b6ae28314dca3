// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <map>
#include <sys/mount.h>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

const Attachment kNobody{"", "", "", ""};  // GC is about a network

class Gc : public BridgeTest {
 protected:
  Gc() {
    config_["ipMasq"] = true;
    must_add(config_, pod("c1"));
    must_add(config_, pod("c2"));
    must_add(config_, pod("c2", "eth1"));
  }

  Json config_ = bridge_config();
};

TEST_F(Gc, RemovesWhatBelongsToNobody) {
  PARITY("T63 D1");
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config_, {{"c1", "eth0"}, {"c2", "eth1"}}))));
  EXPECT_TRUE(store_holds("10.1.0.2"));
  EXPECT_FALSE(store_holds("10.1.0.3")) << "c2 eth0 is stale";
  EXPECT_TRUE(store_holds("10.1.0.4"));
  EXPECT_FALSE(nft_objects_with("10.1.0.2").empty());
  EXPECT_TRUE(nft_objects_with("10.1.0.3").empty());
  EXPECT_FALSE(nft_objects_with("10.1.0.4").empty());
  EXPECT_EQ(names_on_bridge().size(), 2U) << "the stale link went, those of the living stay";
  EXPECT_TRUE(ping(pod("c1").netns, "10.1.0.4"));
}

TEST_F(Gc, EmptyListMeansThatAllAreStale) {
  PARITY("T63 D1");
  const std::size_t frame = nft_objects().size();
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config_, {}))));
  for (const char* address : {"10.1.0.2", "10.1.0.3", "10.1.0.4"}) {
    EXPECT_FALSE(store_holds(address)) << address;
    EXPECT_TRUE(nft_objects_with(address).empty()) << address;
  }
  EXPECT_LT(nft_objects().size(), frame);
}

TEST_F(Gc, MissingListIsAnError) {
  PARITY("T63");
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(gc(config_), code::kConfig, {"cni.dev/valid-attachments"}));
  Json config = host_local_config();
  EXPECT_TRUE(failed(gc(config), code::kConfig, {"cni.dev/valid-attachments"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(Gc, BrokenListRemovesNothing) {
  PARITY("T63");
  const Snapshot before = Snapshot::of_host();
  for (const char* list : {R"("c1")", R"([7])", R"([{"containerID": 7, "ifname": "eth0"}])", R"([{"ifname": "eth0"}])",
                           R"([{"containerID": "c1"}])", R"([null])", R"({})"}) {
    Json config = config_;
    config["cni.dev/valid-attachments"] = Json::parse(list);
    EXPECT_TRUE(failed(gc(config), code::kConfig, {"cni.dev/valid-attachments"})) << list;
  }
  EXPECT_TRUE(same(before, Snapshot::of_host()));
}

TEST_F(Gc, OtherNetworksAreNotConcerned) {
  PARITY("T63");
  Json other = config_;
  other["name"] = "othernet";
  const Snapshot before = Snapshot::of_host().without_cursors();
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(other, {}))));
  EXPECT_TRUE(same(before, Snapshot::of_host().without_cursors()));
}

TEST_F(Gc, TrafficOfTheLivingGoesOn) {
  PARITY("T63");
  const OutsideHost outside;
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config_, {{"c1", "eth0"}}))));
  EXPECT_EQ(seen_as(pod("c1").netns, outside.netns, "192.0.2.2"), "192.0.2.1");
}

TEST_F(Gc, HostLocalAlone) {
  PARITY("T63 D1");
  Json config = host_local_config();
  config["name"] = "net";
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config, {{"c2", "eth0"}}))));
  EXPECT_FALSE(store_holds("10.1.0.2"));
  EXPECT_TRUE(store_holds("10.1.0.3"));
}

/// Everything that an attachment can have, with either backend.
class GcOfEverything : public BridgeTest, public ::testing::WithParamInterface<const char*> {
 protected:
  GcOfEverything() {
    config_["ipMasq"] = true;
    config_["ipMasqBackend"] = GetParam();
    config_["macspoofchk"] = true;
  }

  static std::string rules() {
    std::string all = must_run({"iptables-save", "-t", "nat"}) + must_run({"ip6tables-save", "-t", "nat"});
    for (const std::string& object : nft_objects()) all += object + "\n";
    return all;
  }

  Json config_ = dual_stack_config();
};

INSTANTIATE_TEST_SUITE_P(With, GcOfEverything, ::testing::Values("nftables", "iptables"),
                         [](const auto& backend) { return std::string(backend.param); });

TEST_P(GcOfEverything, TheStaleGoWholeAndTheValidStayWhole) {
  PARITY("T63 D1");
  std::map<std::string, Json> results;
  for (const char* id : {"living", "lost", "vanished"}) results[id] = must_add(config_, pod(id));
  delete_netns("vanished");
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config_, {{"living", "eth0"}}))));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config_, results["living"]), pod("living"))));
  EXPECT_EQ(names_on_bridge(), std::vector<std::string>{host_end(results["living"])});
  for (const char* id : {"lost", "vanished"}) {
    for (const Json& ip : results[id].at("ips")) {
      const auto cidr = ip.at("address").get<std::string>();
      const std::string address = cidr.substr(0, cidr.find('/'));
      EXPECT_FALSE(store_holds(address));
      EXPECT_EQ(rules().find(address), std::string::npos) << address << " in " << rules();
    }
    EXPECT_EQ(rules().find(host_end(results[id])), std::string::npos) << rules();
  }
  EXPECT_EQ(link_names(pod("lost").netns), std::vector<std::string>{});

  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config_, {}))));
  EXPECT_TRUE(names_on_bridge().empty());
  EXPECT_FALSE(store_holds("10.1.0.2"));
  for (const char* trace : {"10.1.0.", "fd01:", "CNI-", "cni-br-iface", "cnio_masquerade"}) {
    EXPECT_EQ(rules().find(trace), std::string::npos) << trace << " in " << rules();
  }
}

TEST_F(BridgeTest, GcGoesOnPastFailuresAndReportsAllOfThem) {
  PARITY("T63 D1");
  FakeIpam fake;
  fake.script("ADD", {{.out = R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]})"},
                      {.out = R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.3/24"}]})"}});
  fake.fail("GC", {{"code", 100}, {"msg", "no luck in the store"}});
  Json config = fake_config();
  config["ipMasq"] = true;
  config["macspoofchk"] = true;
  for (const char* id : {"c1", "c2"}) ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", config, pod(id)))));
  // A rule of somebody else's that leads into the chain keeps the kernel from removing it.
  std::vector<std::string> busy;
  for (const std::string& object : nft_objects_with("\"chain\":{")) {
    const Json chain = Json::parse(object).at("chain");
    if (chain.at("table") != "cnio_masquerade" || chain.contains("hook")) continue;
    busy.push_back(chain.at("name").get<std::string>());
    must_run({"nft", "add rule inet cnio_masquerade postrouting ip daddr 203.0.113.1 jump " + busy.back()});
  }
  ASSERT_EQ(busy.size(), 2U);
  const Outcome collected = run(with_fake(fake, "GC", with_valid_attachments(config, {}), kNobody));
  EXPECT_TRUE(failed(collected, code::kKernel, {busy[0], busy[1], "busy", "no luck in the store", "fake-ipam"}));
  EXPECT_TRUE(names_on_bridge().empty());
  EXPECT_TRUE(nft_objects_with("cni-br-iface").empty());
  EXPECT_EQ(fake.commands().back(), "GC");
}

// A runtime must not let them overlap (CNI 1.1.0, section "Lifecycle & Ordering"). One that does, and lists the pods
// that it is just adding, loses nothing.
TEST_F(BridgeTest, GcDoesNotHurtAddsOfListedAttachmentsNorOfOtherNetworks) {
  PARITY("T63 D1");
  constexpr int kPods = 16;
  Json config = dual_stack_config();
  config["ipMasq"] = true;
  config["macspoofchk"] = true;
  Json other = config;
  other["name"] = "othernet";
  other["deleteWhenEmpty"] = true;
  std::vector<std::pair<std::string, std::string>> listed;
  for (int number = 0; number < kPods; ++number)
    listed.emplace_back(pod("c" + std::to_string(number)).container, "eth0");

  std::vector<Child> adds;
  std::vector<Child> collections;
  for (const auto& [container, ifname] : listed) {
    adds.emplace_back(plugin_command({"bridge", "ADD", pod(container), config.dump()}));
    collections.emplace_back(plugin_command({"bridge", "GC", kNobody, with_valid_attachments(config, listed).dump()}));
    collections.emplace_back(plugin_command({"bridge", "GC", kNobody, with_valid_attachments(other, {}).dump()}));
  }
  for (Child& child : collections) EXPECT_TRUE(succeeded_silently(child.wait()));
  for (int number = 0; number < kPods; ++number) {
    const Outcome added = adds[static_cast<std::size_t>(number)].wait();
    ASSERT_TRUE(succeeded(added));
    const Json known = with_prev_result(config, Json::parse(added.out));
    EXPECT_TRUE(succeeded_silently(check(known, pod("c" + std::to_string(number)))));
  }
}

// To GC an attachment in the making is like any other: not listed, it goes.
TEST_F(BridgeTest, AnAddThatGcOverlapsAndDoesNotListFailsCleanly) {
  PARITY("T63 D14");
  FakeIpam fake;
  Json config = fake_config();
  config["ipMasq"] = true;
  config["macspoofchk"] = true;
  write_file("/run/test/gc.json", with_valid_attachments(config, {}).dump());
  const Attachment attachment = pod();
  fake.script("ADD", {{.out = R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]})",
                       .hook = std::string(kPairStands) +
                               " && CNI_COMMAND=GC CNI_NETNS= CNI_IFNAME= CNI_CONTAINERID= " + plugin_dir() +
                               "/bridge </run/test/gc.json"}});
  const Snapshot before = Snapshot::of_host();
  EXPECT_TRUE(failed(run(with_fake(fake, "ADD", config, attachment)), code::kKernel, {"eth0"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(link_names(attachment.netns).empty());
  EXPECT_EQ(fake.commands(), (std::vector<std::string>{"ADD", "GC", "DEL"}));
}

TEST_F(HostTest, GcWithoutAStoreMakesNone) {
  PARITY("T63");
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(host_local_config(), {}))));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(bridge_config(), {}))));
  EXPECT_FALSE(std::filesystem::exists("/var/lib/cni"));
}

TEST_F(HostTest, GcFreesTornReservationsAndKeepsForeignFiles) {
  PARITY("T63 D24");
  const std::string store = "/var/lib/cni/networks/store/";
  write_file(store + "10.1.0.2", "");
  write_file(store + "10.1.0.3", "c1");
  write_file(store + "10.1.0.4", "c2");
  write_file(store + "last_reserved_ip.0", "10.1.0.4");
  write_file(store + "README", "not ours");
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(host_local_config(), {{"c1", "eth0"}}))));
  EXPECT_FALSE(std::filesystem::exists(store + "10.1.0.2"));
  EXPECT_TRUE(std::filesystem::exists(store + "10.1.0.3")) << "the old format, valid for any interface of c1";
  EXPECT_FALSE(std::filesystem::exists(store + "10.1.0.4"));
  EXPECT_EQ(read_file(store + "last_reserved_ip.0"), "10.1.0.4");
  EXPECT_EQ(read_file(store + "README"), "not ours");
}

TEST_F(HostTest, GcRemovesNftRulesOfTheReference) {
  PARITY("T63 T67");
  // Network n, container c1, interface eth0, as section 4.3 of the parity document describes them.
  must_feed({"nft", "-f", "-"}, R"(
    table inet cni_plugins_masquerade {
      chain masq_checks {
        ip saddr 10.1.0.2 ip daddr != 10.1.0.0/24 masquerade comment "917148ec47923f2e-f4d01f2ef4b92245, net: n, if: eth0, id: c1"
      }
      chain postrouting { type nat hook postrouting priority srcnat; policy accept; goto masq_checks; }
    })");
  Json config = bridge_config();
  config["name"] = "n";
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config, {{"c1", "eth0"}}))));
  EXPECT_FALSE(nft_objects_with("10.1.0.2").empty()) << "a valid attachment keeps the reference's rules";
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config, {}))));
  EXPECT_TRUE(nft_objects_with("10.1.0.2").empty());
}

TEST_F(HostTest, StatusOfWorkingConfigurations) {
  PARITY("T62");
  for (const Json& config : {loopback_config(), host_local_config(), layer2_config(), bridge_config()}) {
    const Snapshot before = Snapshot::of_host();
    EXPECT_TRUE(succeeded_silently(status(config))) << config.dump();
    EXPECT_TRUE(same(before, Snapshot::of_host())) << "STATUS changes nothing";
  }
}

TEST_F(HostTest, StatusFindsABrokenConfiguration) {
  PARITY("T62 D2");
  Json config = host_local_config();
  config["ipam"]["ranges"][0][0]["subnet"] = "10.1.0.5/24";
  EXPECT_TRUE(failed(status(config), code::kConfig, {"10.1.0.5/24"}));
  config.erase("ipam");
  EXPECT_TRUE(failed(status(config), code::kConfig, {"ipam"}));
  config = bridge_config();
  config["ipam"]["ranges"][0][0]["subnet"] = "10.1.0.5/24";
  EXPECT_TRUE(failed(status(config), code::kConfig, {"10.1.0.5/24"}));
  config = layer2_config();
  config["mtu"] = "large";
  EXPECT_TRUE(failed(status(config), code::kConfig, {"mtu"}));
}

TEST_F(HostTest, StatusFindsAStoreThatCannotBeWritten) {
  PARITY("T62 D2");
  std::filesystem::create_directories("/var/lib/cni/networks");
  ASSERT_EQ(::mount("frozen", "/var/lib/cni/networks", "tmpfs", MS_RDONLY, nullptr), 0);
  EXPECT_TRUE(failed(status(host_local_config()), code::kUnavailable, {"/var/lib/cni/networks"}));
  EXPECT_TRUE(failed(status(bridge_config()), code::kUnavailable, {"/var/lib/cni/networks"}));
}

TEST_F(HostTest, StatusFindsAMissingResolverFile) {
  PARITY("T62 D2");
  Json config = host_local_config();
  config["ipam"]["resolvConf"] = "/run/test/missing";
  EXPECT_TRUE(failed(status(config), code::kUnavailable, {"/run/test/missing"}));
}

TEST_F(HostTest, StatusFindsAMissingIpamPlugin) {
  PARITY("T62");
  Json config = layer2_config();
  config["ipam"]["type"] = "no-such-ipam";
  EXPECT_TRUE(failed(status(config), code::kUnavailable, {"no-such-ipam"}));
}

// Not every kernel has bridges that filter VLANs; whether this one does, ADD shows.
TEST_F(BridgeTest, StatusAndAddAgreeOnVlans) {
  PARITY("T62");
  Json config = layer2_config();
  config["vlan"] = 100;
  const Snapshot before = Snapshot::of_host();
  const Outcome answer = status(config);
  EXPECT_TRUE(same(before, Snapshot::of_host())) << "STATUS changes nothing";
  const Outcome added = add(config, pod());
  if (added.exit_code == 0) {
    EXPECT_TRUE(succeeded_silently(answer));
  } else {
    EXPECT_TRUE(failed(added, code::kKernel, {"br0", "CONFIG_BRIDGE_VLAN_FILTERING"}));
    EXPECT_TRUE(failed(answer, code::kUnavailable, {"br0", "CONFIG_BRIDGE_VLAN_FILTERING"}));
  }
}

}  // namespace
}  // namespace cnio::test
