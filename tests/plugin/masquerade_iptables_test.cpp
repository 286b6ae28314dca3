// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The iptables backend, and rules that the reference made: they have to go when this implementation takes over.
#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

// Network n, container c1 (sections 4.2 and 4.3 of the parity document).
const std::string kChain = "CNI-9b00b9b7c2795a8a61a6eec1";
const std::string kNftPrefix = "917148ec47923f2e-f4d01f2ef4b92245";

class IptablesMasquerade : public BridgeTest {
 protected:
  IptablesMasquerade() {
    config_["name"] = "n";
    config_["ipMasq"] = true;
    config_["ipMasqBackend"] = "iptables";
  }

  static std::string rules(const std::string& program = "iptables") { return must_run({program, "-t", "nat", "-S"}); }
  static std::size_t count(const std::string& text, const std::string& word) {
    std::size_t found = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
    return found;
  }
  static bool nothing_left(const std::string& address = "10.1.0.2") {
    return rules().find("CNI-") == std::string::npos && nft_objects_with("\"" + address + "\"").empty();
  }

  Json config_ = dual_stack_config();
};

TEST_F(IptablesMasquerade, MakesTheReferencesRules) {
  PARITY("T66");
  must_add(config_, pod());
  const std::string v4 = rules();
  EXPECT_NE(v4.find("-N " + kChain + "\n"), std::string::npos) << v4;
  const std::string comment = R"( -m comment --comment "name: \"n\" id: \"c1\"" )";
  EXPECT_NE(v4.find("-A " + kChain + " -d 10.1.0.0/24" + comment + "-j ACCEPT"), std::string::npos) << v4;
  EXPECT_NE(v4.find("-A " + kChain + " ! -d 224.0.0.0/4" + comment + "-j MASQUERADE"), std::string::npos) << v4;
  EXPECT_NE(v4.find("-A POSTROUTING -s 10.1.0.2/32" + comment + "-j " + kChain), std::string::npos) << v4;
  const std::string v6 = rules("ip6tables");
  EXPECT_NE(v6.find("-A " + kChain + " -d fd01::/64" + comment + "-j ACCEPT"), std::string::npos) << v6;
  EXPECT_NE(v6.find("-A " + kChain + " ! -d ff00::/8" + comment + "-j MASQUERADE"), std::string::npos) << v6;
  EXPECT_NE(v6.find("-A POSTROUTING -s fd01::2/128" + comment + "-j " + kChain), std::string::npos) << v6;
  EXPECT_TRUE(nft_objects_with("cnio_masquerade").empty());
}

TEST_F(IptablesMasquerade, OutsideSeesTheHostsAddress) {
  PARITY("T66");
  const OutsideHost outside;
  must_add(config_, pod());
  EXPECT_EQ(seen_as(pod().netns, outside.netns, "192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_as(pod().netns, outside.netns, "2001:db8::2"), "2001:db8::1");
  must_del(config_, pod());
  EXPECT_TRUE(nothing_left());
  EXPECT_TRUE(nothing_left("fd01::2"));
}

TEST_F(IptablesMasquerade, ExcludedDestinationsSeeThePodsOwnAddress) {
  const OutsideHost outside;
  outside.learn_route("10.1.0.0/24");
  config_["ipMasqExclude"] = {"192.0.2.0/24"};
  must_add(config_, pod());
  EXPECT_EQ(seen_as(pod().netns, outside.netns, "192.0.2.2"), "10.1.0.2");
}

TEST_F(IptablesMasquerade, DeleteFindsRulesWithoutNamespaceOrAddress) {
  PARITY("T53 T54 D18 D19");
  Attachment attachment = pod();
  must_add(config_, attachment);
  delete_netns("c1");
  EXPECT_TRUE(succeeded_silently(del(config_, attachment)));
  EXPECT_TRUE(nothing_left());
  attachment = pod();
  must_add(config_, attachment);
  must_run({"ip", "addr", "flush", "dev", "eth0"}, attachment.netns);
  EXPECT_TRUE(succeeded_silently(del(config_, attachment)));
  EXPECT_TRUE(nothing_left("10.1.0.3"));
}

TEST_F(IptablesMasquerade, InterfacesOfOneContainerAreIndependent) {
  PARITY("T68 D22");
  const OutsideHost outside;
  must_add(config_, pod("c1", "eth0"));
  must_add(config_, pod("c1", "eth1"));
  EXPECT_TRUE(succeeded_silently(del(config_, pod("c1", "eth1"))));
  EXPECT_TRUE(nft_objects_with("\"10.1.0.3\"").empty());
  EXPECT_EQ(seen_as(pod("c1").netns, outside.netns, "192.0.2.2"), "192.0.2.1");
  EXPECT_TRUE(succeeded_silently(del(config_, pod("c1", "eth0"))));
  EXPECT_TRUE(nothing_left());
}

TEST_F(IptablesMasquerade, MissingProgramIsFoundOutBeforeAnyChange) {
  PARITY("T65");
  const Attachment attachment = pod();
  const Snapshot before = Snapshot::of_host();
  Command command = plugin_command({"bridge", "ADD", attachment, config_.dump()});
  command.env["PATH"] = "/nowhere";
  EXPECT_TRUE(failed(run(command), code::kConfig, {"ipMasqBackend", "iptables", "/nowhere"}));
  EXPECT_TRUE(same(before, Snapshot::of_host()));
  EXPECT_TRUE(link_names(attachment.netns).empty());
}

TEST_F(IptablesMasquerade, DeleteWithoutTheProgramSucceedsIfThereAreNoRules) {
  PARITY("T71");
  Command command = plugin_command({"bridge", "DEL", pod(), config_.dump()});
  command.env["PATH"] = "/nowhere";
  EXPECT_TRUE(succeeded_silently(run(command)));
}

TEST_F(IptablesMasquerade, DeleteRemovesTheReferencesIptablesRules) {
  PARITY("T67");
  config_.erase("ipMasqBackend");
  Json reference = config_;
  // Debian's release has one backend only and does not know the key.
  if (reference_dir() != "/usr/lib/cni") reference["ipMasqBackend"] = "iptables";
  ASSERT_TRUE(succeeded(by_reference("ADD", reference, pod())));
  ASSERT_NE(rules().find(kChain), std::string::npos);
  must_del(config_, pod());
  EXPECT_TRUE(nothing_left());
  EXPECT_EQ(rules("ip6tables").find("CNI-"), std::string::npos);
}

TEST_F(IptablesMasquerade, DeleteRemovesTheReferencesRulesWithoutNamespace) {
  PARITY("T67 D18");
  config_.erase("ipMasqBackend");
  const Attachment attachment = pod();
  ASSERT_TRUE(succeeded(by_reference("ADD", config_, attachment)));
  delete_netns("c1");
  must_del(config_, attachment);
  EXPECT_TRUE(nothing_left());
  EXPECT_EQ(rules("ip6tables").find("CNI-"), std::string::npos);
}

TEST_F(IptablesMasquerade, ReferenceRemovesOurs) {
  PARITY("T67");
  must_add(config_, pod());
  EXPECT_TRUE(succeeded(by_reference("DEL", config_, pod())));
  EXPECT_TRUE(nothing_left());
}

TEST_F(IptablesMasquerade, DeleteRemovesTheReferencesNftRules) {
  PARITY("T67");
  // As the reference's nftables backend writes them; c2 belongs to somebody else.
  const std::string other = "917148ec47923f2e-0123456789abcdef";
  must_feed({"nft", "-f", "-"}, R"(
    table inet cni_plugins_masquerade {
      chain masq_checks {
        ip saddr 10.1.0.2 ip daddr != 10.1.0.0/24 masquerade comment ")" +
                                    kNftPrefix + R"(, net: n, if: eth0, id: c1"
        ip6 saddr fd01::2 ip6 daddr != fd01::/64 masquerade comment ")" +
                                    kNftPrefix + R"(, net: n, if: eth0, id: c1"
        ip saddr 10.1.0.3 ip daddr != 10.1.0.0/24 masquerade comment ")" +
                                    other + R"(, net: n, if: eth0, id: c2"
      }
      chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip daddr 224.0.0.0/4 return
        ip6 daddr ff00::/8 return
        goto masq_checks
      }
    })");
  config_.erase("ipMasqBackend");
  must_del(config_, pod());
  EXPECT_TRUE(nft_objects_with("\"10.1.0.2\"").empty());
  EXPECT_TRUE(nft_objects_with("\"fd01::2\"").empty());
  EXPECT_FALSE(nft_objects_with("\"10.1.0.3\"").empty());
}

TEST_F(IptablesMasquerade, AddIsRepeatable) {
  PARITY("T66");
  for (int turn = 0; turn < 2; ++turn) {
    must_add(config_, pod());
    // The state of a crashed node: rules remain, everything else is gone.
    must_run({"ip", "link", "del", "eth0"}, pod().netns);
    std::filesystem::remove_all("/var/lib/cni/networks/n");
  }
  EXPECT_EQ(count(rules(), "-A POSTROUTING -s 10.1.0.2/32"), 1U) << rules();
  EXPECT_EQ(count(rules(), "MASQUERADE"), 1U) << rules();
}

}  // namespace
}  // namespace cnio::test
