// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Whether new connections of pods are forwarded at all, told from rule sets as firewalls make them.
#include "cnio/firewall/forward_policy.hpp"

#include <linux/netlink.h>

#include <gmock/gmock.h>

#include "support/host.hpp"
#include "support/judge.hpp"
#include "support/matchers.hpp"
#include "support/subprocess.hpp"

namespace cnio::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kByFilter =
    "forwarding of IPv4 from cnio0 is dropped by the policy of chain FORWARD in table ip filter";

class ForwardPolicy : public HostTest {
 protected:
  ForwardPolicy() {
    must_run({"ip", "link", "add", "cnio0", "type", "bridge"});
    must_run({"ip", "link", "add", "eth0", "type", "bridge"});
    must_run({"ip", "address", "add", "192.0.2.1/24", "dev", "eth0"});
    must_run({"ip", "address", "add", "2001:db8::1/64", "dev", "eth0", "nodad"});
    must_run({"ip", "link", "set", "eth0", "up"});
    must_run({"ip", "route", "add", "default", "via", "192.0.2.254"});
    must_run({"ip", "-6", "route", "add", "default", "via", "2001:db8::fe"});
  }

  /// "iptables -P FORWARD DROP\nnft ..." one command a line; other lines go to `iptables-nft-restore`.
  static void apply(const std::string& script) {
    if (script.starts_with("*")) {
      must_feed({"iptables-nft-restore"}, script);
    } else if (!script.empty()) {
      must_feed({"nft", "-f", "-"}, script);
    }
  }

  static std::string drop_of(const std::vector<std::string>& sources) {
    firewall::ForwardSpec spec;
    spec.interface = "cnio0";
    spec.index = net::IfIndex{find_link("cnio0").at("ifindex").get<int>()};
    for (const auto& text : sources) spec.sources.push_back(Cidr::parse(text).value());
    auto nft = net::NftConnection::open().value();
    net::Netlink route = net::Netlink::open(NETLINK_ROUTE).value();
    const auto drop = firewall::find_forward_drop(*nft, route, spec);
    if (!drop.ok()) return "failed: " + drop.error().msg();
    return drop.value() ? drop.value()->message() : std::string();
  }
};

struct RuleSet {
  std::string name;
  std::string script;
  std::string message;  // empty: nothing is said
  std::vector<std::string> sources = {"10.1.0.2/24"};
};
void PrintTo(const RuleSet& rules, std::ostream* out) { *out << rules.name; }

const std::string kDocker = R"(*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
)";

// As `ufw enable` leaves it, without its rules for other hooks.
const std::string kUfw = R"(*filter
:FORWARD DROP [0:0]
:ufw-after-forward - [0:0]
:ufw-after-logging-forward - [0:0]
:ufw-before-forward - [0:0]
:ufw-before-logging-forward - [0:0]
:ufw-reject-forward - [0:0]
:ufw-track-forward - [0:0]
:ufw-user-forward - [0:0]
-A FORWARD -j ufw-before-logging-forward
-A FORWARD -j ufw-before-forward
-A FORWARD -j ufw-after-forward
-A FORWARD -j ufw-after-logging-forward
-A FORWARD -j ufw-reject-forward
-A FORWARD -j ufw-track-forward
-A ufw-after-logging-forward -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 3 -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 11 -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
)";

std::string firewalld(const std::string& zones) {
  return R"(table inet firewalld {
    chain filter_FWD_public_allow { oifname "eth1" accept; }
    chain filter_FWD_public { jump filter_FWD_public_allow; reject with icmpx admin-prohibited; }
    chain filter_FWD_trusted { accept; }
    chain filter_FORWARD_ZONES { )" +
         zones + R"( goto filter_FWD_public; }
    chain filter_FORWARD {
      type filter hook forward priority filter + 10; policy accept;
      ct state { established, related } accept
      ct status dnat accept
      iifname "lo" accept
      ct state invalid drop
      jump filter_FORWARD_ZONES
      reject with icmpx admin-prohibited
    }
  }
)";
}

std::string in_filter(const std::string& rules, const std::string& policy = "DROP") {
  return "*filter\n:FORWARD " + policy + " [0:0]\n" + rules;
}

std::string in_nft(const std::string& rules, const std::string& policy = "drop", const std::string& more = {}) {
  return "table inet fw {\n" + more + "\nchain pass { type filter hook forward priority 0; policy " + policy + ";\n" +
         rules + "\n}\n}\n";
}

constexpr const char* kByFw = "forwarding of IPv4 from cnio0 is dropped by the policy of chain pass in table inet fw";
constexpr const char* kByRule = "forwarding of IPv4 from cnio0 is dropped by a rule of chain pass in table inet fw";
constexpr const char* kByFirewalld =
    "forwarding of IPv4 from cnio0 is dropped by a rule of chain filter_FORWARD in table inet firewalld";

class ForwardPolicyOf : public ForwardPolicy, public ::testing::WithParamInterface<RuleSet> {};

TEST_P(ForwardPolicyOf, IsTold) {
  FAULT("D15 forwarding");
  std::string script = GetParam().script;
  if (script.starts_with("*")) script += "COMMIT\n";
  apply(script);
  EXPECT_EQ(drop_of(GetParam().sources), GetParam().message);
}

const auto kName = [](const auto& test) { return test.param.name; };

INSTANTIATE_TEST_SUITE_P(
    Firewalls, ForwardPolicyOf,
    ::testing::Values(
        RuleSet{"None", "", ""}, RuleSet{"Docker", kDocker, kByFilter},
        RuleSet{"DockerWithOurRule", kDocker + "-I DOCKER-USER -i cnio0 -j ACCEPT\n", ""},
        RuleSet{"DockerWithOurSubnet", kDocker + "-I FORWARD -s 10.1.0.0/24 -j ACCEPT\n", ""},
        RuleSet{"DockerWithTheAnswersAlone", kDocker + "-I FORWARD -o cnio0 -j ACCEPT\n", kByFilter},
        RuleSet{"DockerWithARuleForOthers", kDocker + "-I FORWARD -i cnio1 -j ACCEPT\n", kByFilter},
        RuleSet{"Ufw", kUfw, kByFilter},
        RuleSet{"UfwWithRouteAllow", kUfw + "-A ufw-user-forward -i cnio0 -o eth0 -j ACCEPT\n", ""},
        RuleSet{"UfwWithADnsRule", kUfw + "-A ufw-user-forward -p udp -m udp --dport 53 -j ACCEPT\n", ""},
        RuleSet{"Firewalld", firewalld(""), kByFirewalld},
        RuleSet{"FirewalldTrusted", firewalld("iifname \"cnio0\" goto filter_FWD_trusted;"), ""},
        RuleSet{"FirewalldOtherTrusted", firewalld("iifname \"docker0\" goto filter_FWD_trusted;"), kByFirewalld},
        RuleSet{"Flannel", in_filter("-A FORWARD -s 10.1.0.0/16 -j ACCEPT\n-A FORWARD -d 10.1.0.0/16 -j ACCEPT\n"), ""},
        RuleSet{"FlannelOfOthers",
                in_filter("-A FORWARD -s 10.9.0.0/16 -j ACCEPT\n-A FORWARD -d 10.1.0.0/24 -j ACCEPT\n"), kByFilter},
        RuleSet{"KubeProxyAlone",
                in_filter("-A FORWARD -m conntrack --ctstate INVALID -j DROP\n"
                          "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"),
                kByFilter},
        RuleSet{"KubeProxyMark", in_filter("-A FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT\n"), ""},
        RuleSet{"KubeRouter", in_filter("-A FORWARD -i cnio0 -m comment --comment \"allow\" -j ACCEPT\n"), ""}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Iptables, ForwardPolicyOf,
    ::testing::Values(
        RuleSet{"EmptyDrop", in_filter(""), kByFilter}, RuleSet{"EmptyAccept", in_filter("", "ACCEPT"), ""},
        RuleSet{"Wildcard", in_filter("-A FORWARD -i cni+ -j ACCEPT\n"), ""},
        RuleSet{"AnyInterface", in_filter("-A FORWARD -i + -j ACCEPT\n"), ""},
        RuleSet{"WildcardOfOthers", in_filter("-A FORWARD -i cali+ -j ACCEPT\n"), kByFilter},
        RuleSet{"LongerName", in_filter("-A FORWARD -i cnio01 -j ACCEPT\n"), kByFilter},
        RuleSet{"ShorterName", in_filter("-A FORWARD -i cnio -j ACCEPT\n"), kByFilter},
        RuleSet{"NotOthers", in_filter("-A FORWARD ! -i docker0 -j ACCEPT\n"), ""},
        RuleSet{"NotUs", in_filter("-A FORWARD ! -i cnio0 -j ACCEPT\n"), kByFilter},
        RuleSet{"NotOurs", in_filter("-A FORWARD ! -s 10.1.0.0/16 -j ACCEPT\n"), kByFilter},
        RuleSet{"OtherOutput", in_filter("-A FORWARD -i cnio0 -o eth1 -j ACCEPT\n"), kByFilter},
        RuleSet{"OurOutput", in_filter("-A FORWARD -i cnio0 -o eth0 -j ACCEPT\n"), ""},
        RuleSet{"NewState", in_filter("-A FORWARD -m conntrack --ctstate NEW -j ACCEPT\n"), ""},
        RuleSet{"NotEstablished", in_filter("-A FORWARD -m conntrack ! --ctstate ESTABLISHED -j ACCEPT\n"), ""},
        RuleSet{"OldState", in_filter("-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT\n"), kByFilter},
        RuleSet{"OldNewState", in_filter("-A FORWARD -m state --state NEW -j ACCEPT\n"), ""},
        RuleSet{"Translated", in_filter("-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\n"), kByFilter},
        RuleSet{"Status", in_filter("-A FORWARD -m conntrack --ctstatus ASSURED -j ACCEPT\n"), kByFilter},
        RuleSet{"Ping", in_filter("-A FORWARD -p icmp -j ACCEPT\n"), kByFilter},
        RuleSet{"Tcp", in_filter("-A FORWARD -p tcp -j ACCEPT\n"), ""},
        RuleSet{"NotUnderstood", in_filter("-A FORWARD -m limit --limit 1/s -j ACCEPT\n"), ""},
        RuleSet{"SomeAddressesOfTheSubnet", in_filter("-A FORWARD -s 10.1.0.128/25 -j ACCEPT\n"), "", {"10.1.0.0/24"}},
        RuleSet{"OtherAddressesOfTheSubnet", in_filter("-A FORWARD -s 10.1.0.128/25 -j ACCEPT\n"), kByFilter},
        RuleSet{"AnyAddress", in_filter("-A FORWARD -s 10.1.0.128/25 -j ACCEPT\n"), "", {}},
        RuleSet{"OneDestination", in_filter("-A FORWARD -i cnio0 -d 192.0.2.0/24 -j ACCEPT\n"), ""},
        RuleSet{"Rejected", in_filter("-A FORWARD -j REJECT\n-A FORWARD -j ACCEPT\n", "ACCEPT"),
                "forwarding of IPv4 from cnio0 is dropped by a rule of chain FORWARD in table ip filter"},
        RuleSet{"RejectedLater", in_filter("-A FORWARD -i cnio0 -j ACCEPT\n-A FORWARD -j REJECT\n", "ACCEPT"), ""},
        RuleSet{"OthersRejected", in_filter("-A FORWARD -i docker0 -j DROP\n", "ACCEPT"), ""},
        RuleSet{
            "Nested",
            in_filter(":A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A A -i cnio0 -g B\n-A A -j DROP\n-A B -s 10.1.0.2 -j "
                      "ACCEPT\n"),
            ""},
        RuleSet{"ReturnsBeforeItAccepts",
                in_filter(":A - [0:0]\n-A FORWARD -j A\n-A A -i cnio0 -j RETURN\n-A A -j ACCEPT\n"), kByFilter},
        RuleSet{"OtherFamily", in_filter(""), "", {"fd00:1::2/64"}}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Nft, ForwardPolicyOf,
    ::testing::Values(
        RuleSet{"EmptyDrop", in_nft(""), kByFw},
        RuleSet{"EmptyDropOfIpv6",
                in_nft(""),
                "forwarding of IPv6 from cnio0 is dropped by the policy of chain pass in table inet fw",
                {"fd00:1::2/64"}},
        RuleSet{"Ipv6Accepted", in_nft("meta nfproto ipv6 accept"), "", {"fd00:1::2/64"}},
        RuleSet{"Ipv6AcceptedAlone", in_nft("meta nfproto ipv6 accept"), kByFw},
        RuleSet{"Ipv6Source", in_nft("ip6 saddr fd00:1::/48 accept"), "", {"fd00:1::2/64"}},
        RuleSet{"StateMap", in_nft("ct state vmap { established : accept, related : accept, invalid : drop }"), kByFw},
        RuleSet{"StateMapWithNew", in_nft("ct state vmap { established : accept, new : accept }"), ""},
        RuleSet{"State", in_nft("ct state established,related accept"), kByFw},
        RuleSet{"StateWithNew", in_nft("ct state established,related,new accept"), ""},
        RuleSet{"InterfaceMap", in_nft("iifname vmap { docker0 : accept, cnio1 : accept }"), kByFw},
        RuleSet{"InterfaceMapWithUs", in_nft("iifname vmap { docker0 : accept, cnio0 : accept }"), ""},
        RuleSet{"InterfaceMapDropsUs", in_nft("iifname vmap { cnio0 : drop, docker0 : accept }", "accept"), kByRule},
        RuleSet{"InterfaceSet", in_nft("iifname { docker0, cnio1 } accept"), kByFw},
        RuleSet{"InterfaceSetWithUs", in_nft("iifname { docker0, cnio0 } accept"), ""},
        RuleSet{"NotInSet", in_nft("iifname != { docker0, cnio1 } accept"), ""},
        RuleSet{"InterfaceIndex", in_nft("iif cnio0 accept"), ""},
        RuleSet{"OtherIndex", in_nft("iif eth0 accept"), kByFw},
        RuleSet{"Wildcard", in_nft("iifname \"cni*\" accept"), ""},
        RuleSet{"Intervals", in_nft("ip saddr { 10.1.0.0/24, 10.9.0.0/16 } accept"), ""},
        RuleSet{"Concatenation", in_nft("iifname . oifname { cnio0 . eth0 } accept"), ""},
        RuleSet{"ConcatenationMap", in_nft("iifname . oifname vmap { cnio0 . eth0 : accept }"), ""},
        RuleSet{"Protocols", in_nft("meta l4proto { icmp, icmpv6 } accept"), kByFw},
        RuleSet{"ProtocolsWithTcp", in_nft("meta l4proto { icmp, tcp } accept"), ""},
        RuleSet{"Ports", in_nft("tcp dport 443 accept"), ""},
        RuleSet{"Untracked", in_nft("ct state untracked accept"), kByFw},
        RuleSet{"Marked", in_nft("meta mark 0x1 accept"), ""},
        RuleSet{"DropWithLimit", in_nft("limit rate 1/second drop", "accept"), ""},
        RuleSet{"DropsAll", in_nft("counter log drop", "accept"), kByRule},
        RuleSet{"DropsOurs", in_nft("iifname cnio0 drop", "accept"), kByRule},
        RuleSet{"DropsTcpAlone", in_nft("meta l4proto tcp drop", "accept"), ""},
        RuleSet{"DropsOtherDestinations", in_nft("ip daddr 192.0.2.0/24 drop", "accept"), ""},
        RuleSet{"Dormant",
                "table inet fw { flags dormant;\nchain pass { type filter hook forward priority 0; policy "
                "drop;\n}\n}\n",
                ""},
        RuleSet{"OtherHook", "table inet fw { chain in { type filter hook input priority 0; policy drop;\n}\n}\n", ""},
        RuleSet{"BridgeTable",
                "table bridge fw { chain pass { type filter hook forward priority 0; policy drop;\n}\n}\n", ""},
        RuleSet{
            "SecondOfTwo",
            in_nft("accept") + "table ip later { chain f { type filter hook forward priority 10; policy drop;\n}\n}\n",
            "forwarding of IPv4 from cnio0 is dropped by the policy of chain f in table ip later"}),
    kName);

TEST_F(ForwardPolicy, WithoutADefaultRouteAnyOutputMayBeMeant) {
  FAULT("D15 forwarding");
  must_run({"ip", "route", "del", "default"});
  apply(in_filter("-A FORWARD -i cnio0 -o eth1 -j ACCEPT\nCOMMIT\n"));
  EXPECT_EQ(drop_of({"10.1.0.2/24"}), "");
  must_run({"iptables-nft", "-F", "FORWARD"});
  EXPECT_EQ(drop_of({"10.1.0.2/24"}), kByFilter);
}

TEST_F(ForwardPolicy, TheHintHelps) {
  FAULT("D15 forwarding");
  const auto hint_of = [](net::NftTable table, const std::string& chain) {
    return firewall::ForwardDrop{Family::kIpv4, "cnio0", std::move(table), chain, true}.hint();
  };
  apply(in_filter("COMMIT\n"));
  EXPECT_THAT(hint_of({net::NftFamily::kIpv4, "filter"}, "FORWARD"),
              HasSubstr("iptables -I FORWARD -i cnio0 -j ACCEPT"));
  must_run({"iptables-nft", "-I", "FORWARD", "-i", "cnio0", "-j", "ACCEPT"});
  EXPECT_EQ(drop_of({"10.1.0.2/24"}), "");
  apply(in_nft(""));
  EXPECT_THAT(hint_of({net::NftFamily::kInet, "fw"}, "pass"),
              HasSubstr("nft insert rule inet fw pass iifname cnio0 accept"));
  must_run({"nft", "insert", "rule", "inet", "fw", "pass", "iifname", "cnio0", "accept"});
  EXPECT_EQ(drop_of({"10.1.0.2/24"}), "");
}

}  // namespace
}  // namespace cnio::test
