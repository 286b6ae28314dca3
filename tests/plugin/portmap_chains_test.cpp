// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// portmap's chains of iptables: what other programs read, and what the reference makes and takes.
#include "plugin/portmap_fixture.hpp"
#include "support/nft_monitor.hpp"

namespace cnio::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kDnatChain = "CNI-DN-623e1c388032b20529218";  // SHA-512 of "netc1"

class PortmapChains : public PortmapTest, public ::testing::WithParamInterface<std::string> {
 protected:
  PortmapChains() : c1_(make_pod("c1")) { backend_ = GetParam(); }

  static std::string shown(const std::string& chain = "", const char* program = "iptables") {
    std::vector<std::string> words = {program, "-t", "nat", "-S"};
    if (!chain.empty()) words.push_back(chain);
    return must_run(words);
  }

  Attachment c1_;
};
INSTANTIATE_TEST_SUITE_P(Backends, PortmapChains, ::testing::Values("", "iptables"), name_of_backend);

TEST_P(PortmapChains, AreTheReferences) {
  PARITY("T-P01 T-P03 T-P31");
  must_add(config(c1_, {mapping(8080, 80), mapping(53, 53, "udp"), mapping(9, 9, "sctp")}), c1_);
  const std::string text = shown();
  for (const char* line : {
           "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n",
           "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n",
           "-A POSTROUTING -m comment --comment \"CNI portfwd requiring masquerade\" -j CNI-HOSTPORT-MASQ\n",
           "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE\n",
           "-A CNI-HOSTPORT-SETMARK -m comment --comment \"CNI portfwd masquerade mark\" -j MARK --set-xmark "
           "0x2000/0x2000\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  const std::string comment = " -m comment --comment \"dnat name: \\\"net\\\" id: \\\"c1\\\"\" -m multiport --dports ";
  const std::string jump = std::string(" -j ") + kDnatChain + "\n";
  EXPECT_EQ(shown("CNI-HOSTPORT-DNAT"), "-N CNI-HOSTPORT-DNAT\n-A CNI-HOSTPORT-DNAT -p sctp" + comment + "9" + jump +
                                            "-A CNI-HOSTPORT-DNAT -p tcp" + comment + "8080" + jump +
                                            "-A CNI-HOSTPORT-DNAT -p udp" + comment + "53" + jump);
  const std::string rule = std::string("-A ") + kDnatChain;
  EXPECT_THAT(shown(kDnatChain),
              HasSubstr(rule + " -s 10.1.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK\n" + rule +
                        " -s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK\n" + rule +
                        " -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.2:80\n"));
  EXPECT_THAT(shown(kDnatChain, "ip6tables"),
              HasSubstr(rule + " -s fd01::/64 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK\n" + rule +
                        " -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd01::2]:80\n"));
}

TEST_P(PortmapChains, HaveFifteenPortsARule) {
  PARITY("T-P03");
  std::vector<Json> mappings;
  for (int port = 1; port <= 16; ++port) mappings.push_back(mapping(port, port));
  must_add(config(c1_, mappings), c1_);
  const std::string text = shown("CNI-HOSTPORT-DNAT");
  EXPECT_THAT(text, HasSubstr("--dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 -j"));
  EXPECT_THAT(text, HasSubstr("--dports 16 -j"));
}

TEST_P(PortmapChains, MarkAndMasqueradeAsTheyAreAsked) {
  PARITY("T-P06 T-P07 T-P08 P24");
  const Attachment c2 = make_pod("c2");
  Json first = config(c1_, {mapping(8080, 80)});
  first["markMasqBit"] = 0;
  must_add(first, c1_);
  EXPECT_THAT(shown(), HasSubstr("--set-xmark 0x1/0x1"));
  Json second = config(c2, {mapping(8081, 80)});
  second["markMasqBit"] = 31;
  second["masqAll"] = true;
  must_add(second, c2);
  EXPECT_THAT(shown(), HasSubstr(" -p tcp -m tcp --dport 8081 -j MARK --set-xmark 0x80000000/0x80000000\n"))
      << "the shared chain sets the other bit";
  EXPECT_THAT(shown("CNI-HOSTPORT-MASQ"), HasSubstr("--mark 0x80000000/0x80000000 -j MASQUERADE"));
  for (const auto& [config, attachment] : {std::pair(first, c1_), std::pair(second, c2)}) {
    EXPECT_TRUE(succeeded_silently(check(config, attachment)));
  }
}

TEST_P(PortmapChains, MarkByAChainOfSomebodyElse) {
  PARITY("T-P09 T-P38 P15 P25");
  Json external = config(c1_, {mapping(8080, 80)});
  external["externalSetMarkChain"] = "KUBE-MARK-MASQ";
  const auto before = nft_objects();
  EXPECT_TRUE(failed(add(external, c1_), code::kConfig, {"externalSetMarkChain", "KUBE-MARK-MASQ"}));
  EXPECT_EQ(nft_objects(), before);
  must_run({"iptables", "-t", "nat", "-N", "KUBE-MARK-MASQ"});
  EXPECT_TRUE(failed(add(external, c1_), code::kConfig)) << "IPv6 has none";
  EXPECT_EQ(shown().find(kDnatChain), std::string::npos);
  EXPECT_FALSE(has_rules("8080"));
  must_run({"ip6tables", "-t", "nat", "-N", "KUBE-MARK-MASQ"});
  must_add(external, c1_);
  EXPECT_THAT(shown(kDnatChain), HasSubstr("--dport 8080 -j KUBE-MARK-MASQ"));
  EXPECT_EQ(shown().find("CNI-HOSTPORT-MASQ"), std::string::npos);
  EXPECT_TRUE(succeeded_silently(check(external, c1_)));
}

// nerdctl looks for ports that are in use by this command and pattern.
TEST_P(PortmapChains, AreReadByNerdctl) {
  PARITY("T-P36");
  must_add(config(c1_, {mapping(8080, 80), mapping(8443, 443)}), c1_);
  EXPECT_EQ(must_run({"sh", "-c", "iptables -t nat -S CNI-HOSTPORT-DNAT | grep -oE -- '--dports ((,?[0-9]+)+)'"}),
            "--dports 8080,8443\n");
}

TEST_P(PortmapChains, OutliveASaveAndRestore) {
  PARITY("T-P36");
  const Json ports = config(c1_, {mapping(8080, 80)});
  must_add(ports, c1_);
  const std::string before = shown();
  must_run(
      {"sh", "-c",
       "saved=$(iptables-save) && iptables -t nat -F && iptables -t nat -X && echo \"$saved\" | iptables-restore"});
  EXPECT_EQ(shown(), before);
  EXPECT_TRUE(succeeded_silently(check(ports, c1_)));
  must_add(ports, c1_);
  EXPECT_EQ(shown(), before);
  must_del(ports, c1_);
  EXPECT_EQ(shown().find(kDnatChain), std::string::npos);
}

// podman network reload, behind its tests' flush.
TEST_P(PortmapChains, ComeBackWhenTheTableWasEmptied) {
  PARITY("T-P37");
  const Json ports = config(c1_, {mapping(8080, 80)});
  must_add(ports, c1_);
  const std::string whole = shown();
  must_run({"iptables", "-t", "nat", "-F", "CNI-HOSTPORT-DNAT"});
  EXPECT_TRUE(failed(check(ports, c1_), code::kCheck));
  must_add(ports, c1_);
  EXPECT_EQ(shown(), whole);
  must_run({"iptables", "-t", "nat", "-F"});
  must_del(ports, c1_);
  must_add(ports, c1_);
  EXPECT_TRUE(succeeded_silently(check(ports, c1_)));
}

TEST_P(PortmapChains, CheckSeesEachThingThatIsChanged) {
  PARITY("T-P32 P19");
  const Json ports = config(c1_, {mapping(8080, 80)});
  const std::vector<std::vector<std::string>> damages = {
      {"iptables", "-t", "nat", "-F", "PREROUTING"},         {"ip6tables", "-t", "nat", "-F", "OUTPUT"},
      {"iptables", "-t", "nat", "-F", "POSTROUTING"},        {"iptables", "-t", "nat", "-F", "CNI-HOSTPORT-MASQ"},
      {"ip6tables", "-t", "nat", "-F", "CNI-HOSTPORT-DNAT"}, {"ip6tables", "-t", "nat", "-F", kDnatChain},
      {"iptables", "-t", "nat", "-D", kDnatChain, "2"},      {"nft", "delete", "table", "inet", "cnio_portmap"},
  };
  for (const auto& damage : damages) {
    must_add(ports, c1_);
    ASSERT_TRUE(succeeded_silently(check(ports, c1_)));
    must_run(damage);
    EXPECT_TRUE(failed(check(ports, c1_), code::kCheck)) << damage[0] << " " << damage.back();
  }
}

TEST_P(PortmapChains, ATableThatTheKernelIgnoresIsNoticed) {
  PARITY("T-P32 P19");
  const Json ports = config(c1_, {mapping(8080, 80)});
  must_add(ports, c1_);
  must_run({"nft", "add", "table", "ip", "nat", "{ flags dormant; }"});
  if (GetParam().empty()) {
    EXPECT_TRUE(failed(check(ports, c1_), code::kCheck, {"ip nat", "dormant"}));
    EXPECT_TRUE(failed(add(ports, c1_), code::kInTheWay, {"ip nat", "dormant"}));
  }
  must_del(ports, c1_);
  must_run({"nft", "add", "table", "ip", "nat"});
  must_run({"iptables", "-t", "nat", "-F", "PREROUTING"});
  must_run({"nft", "delete", "chain", "ip", "nat", "PREROUTING"});
  must_run({"nft", "add", "chain", "ip", "nat", "PREROUTING", "{ type nat hook prerouting priority -99; }"});
  if (!GetParam().empty()) return;  // the program has its own opinion
  EXPECT_TRUE(failed(add(ports, c1_), code::kInTheWay, {"PREROUTING", "-99"}));
}

TEST_P(PortmapChains, ConditionsAreIptablesWords) {
  PARITY("T-P10");
  Json restricted = config(c1_, {mapping(8080, 80)});
  restricted["conditionsV4"] = {"-s", "192.0.2.2/32"};
  must_add(restricted, c1_);
  EXPECT_THAT(shown("CNI-HOSTPORT-DNAT"), HasSubstr("-A CNI-HOSTPORT-DNAT -s 192.0.2.2/32 -p tcp"));
  EXPECT_TRUE(succeeded_silently(check(restricted, c1_)));
  must_del(restricted, c1_);
  EXPECT_EQ(shown().find(kDnatChain), std::string::npos);
  restricted["conditionsV4"] = {"ip", "saddr", "192.0.2.2"};
  EXPECT_TRUE(failed(add(restricted, c1_), code::kConfig, {"conditionsV4"}));
}

TEST_P(PortmapChains, TwoInterfacesOfAContainerHaveEachTheirOwn) {
  PARITY("T-P29 P4");
  Attachment second = c1_;
  second.ifname = "eth1";
  Json other = config(c1_, {mapping(8081, 80)});
  other["prevResult"]["interfaces"].back()["name"] = "eth1";
  other["prevResult"]["ips"][0]["address"] = "10.1.0.77/24";
  other["prevResult"]["ips"][1]["address"] = "fd01::77/64";
  must_add(config(c1_, {mapping(8080, 80)}), c1_);
  must_add(other, second);
  must_del(other, second);
  EXPECT_THAT(shown(), HasSubstr("--dports 8080"));
  EXPECT_EQ(shown().find("8081"), std::string::npos);
  must_add(other, second);
  must_del(other, c1_);
  EXPECT_EQ(shown().find("8080"), std::string::npos);
  EXPECT_THAT(shown(), HasSubstr("--dports 8081"));
}

TEST_P(PortmapChains, BackendsLookForEachOthersPorts) {
  PARITY("T-P28 P3 P7");
  const Attachment c2 = make_pod("c2");
  Json native = config(c2, {mapping(8080, 80)});
  native["backend"] = "nftables";
  must_add(config(c1_, {mapping(8080, 80)}), c1_);
  EXPECT_TRUE(failed(add(native, c2), code::kInTheWay, {"8080", "net/c1/eth0"}));
  must_del(native, c1_);
  EXPECT_EQ(shown().find(kDnatChain), std::string::npos);
  must_add(native, c2);
  EXPECT_TRUE(failed(add(config(c1_, {mapping(8080, 80)}), c1_), code::kInTheWay, {"8080", "net/c2/eth0"}));
  must_add(config(c2, {mapping(8080, 80)}), c2);
  EXPECT_THAT(shown(), HasSubstr("--dports 8080"));
  must_add(native, c2);
  EXPECT_EQ(shown().find("--dports 8080"), std::string::npos) << "the former back end's are replaced";
}

TEST_F(PortmapTest, ManyChainsAtOnceOnAFreshHost) {
  PARITY("T-P35 P18");
  backend_ = "";
  constexpr int kPods = 32;
  const Attachment c1 = make_pod();
  add_at_once(c1, kPods);
  const std::string text = must_run({"sh", "-c", "iptables -t nat -S; ip6tables -t nat -S"});
  const auto count = [&](const std::string& part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("-j CNI-HOSTPORT-DNAT"), 4U);
  EXPECT_EQ(count("-j CNI-HOSTPORT-MASQ"), 2U);
  EXPECT_EQ(count("-j MASQUERADE"), 2U);
  EXPECT_EQ(count("multiport"), 2U * kPods);
  delete_at_once(c1, kPods);
  EXPECT_EQ(must_run({"sh", "-c", "iptables -t nat -S; ip6tables -t nat -S"}).find("CNI-DN-"), std::string::npos);
}

// A change that names a chain that is there, even for nothing, or removes anything has the kernel wait for a grace
// period before it closes the socket: ten milliseconds of each ADD.
TEST_P(PortmapChains, BesideOthersOnlyAdd) {
  const Attachment c2 = make_pod("c2");
  must_add(config(c1_, {mapping(8080, 80), mapping(53, 53, "udp")}), c1_);
  const NftMonitor changes;
  must_add(config(c2, {mapping(8081, 80), mapping(54, 53, "udp")}), c2);
  const std::string seen = changes.seen();
  EXPECT_THAT(seen, HasSubstr("8081"));
  EXPECT_THAT(seen, ::testing::Not(::testing::ContainsRegex(
                        "chain [a-z0-9]+ [a-z_]+ (CNI-HOSTPORT|PREROUTING|OUTPUT|POSTROUTING|ports )")));
  EXPECT_THAT(seen, ::testing::Not(::testing::ContainsRegex("delete (chain|rule|element|set)")));
}

}  // namespace
}  // namespace cnio::test
