// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Who reaches a mapped port from where, and whose address the pod sees then.
#include "plugin/portmap_fixture.hpp"

namespace cnio::test {
namespace {

template <class Base>
class WithTwoPods : public Base {
 protected:
  WithTwoPods() : c1_(Base::make_pod("c1")), c2_(Base::make_pod("c2")) {}

  Attachment c1_;
  Attachment c2_;
  Mirror tcp_{c1_.netns, Talk::kTcp, 80};
  Mirror udp_{c1_.netns, Talk::kUdp, 80};
  const std::vector<Json> both_{Base::mapping(8080, 80), Base::mapping(8080, 80, "udp")};
};

class PortmapTraffic : public WithTwoPods<PortmapOfAnyBackend> {};
class PortmapNftablesTraffic : public WithTwoPods<PortmapTest> {};
INSTANTIATE_TEST_SUITE_P(Backends, PortmapTraffic, kPortmapBackends, name_of_backend);

TEST_P(PortmapTraffic, EverybodyReachesThePort) {
  PARITY("T-P02 T-P03 T-P18 P8");
  must_add(config(c1_, both_), c1_);
  for (const auto& speak : {tcp, udp}) {
    EXPECT_EQ(speak(outside(), "192.0.2.1", 8080), "192.0.2.2");
    EXPECT_EQ(speak(outside(), "2001:db8::1", 8080), "2001:db8::2");
    EXPECT_EQ(speak("", "192.0.2.1", 8080), "192.0.2.1");
    EXPECT_EQ(speak("", "2001:db8::1", 8080), "2001:db8::1");
    EXPECT_EQ(speak("", "10.1.0.1", 8080), "10.1.0.1");
    EXPECT_EQ(speak("", "127.0.0.1", 8080), "10.1.0.1");
    EXPECT_EQ(speak("", "127.9.9.9", 8080), "10.1.0.1");
    for (const Attachment& each : {c1_, c2_}) {
      EXPECT_EQ(speak(each.netns, "192.0.2.1", 8080), "10.1.0.1") << each.container;
      EXPECT_EQ(speak(each.netns, "2001:db8::1", 8080), "fd01::1") << each.container;
      EXPECT_EQ(speak(each.netns, "10.1.0.1", 8080), "10.1.0.1") << each.container;
      EXPECT_EQ(speak(each.netns, "fd01::1", 8080), "fd01::1") << each.container;
    }
  }
  must_del(config(c1_, both_), c1_);
  EXPECT_EQ(tcp(outside(), "192.0.2.1"), "refused");
  EXPECT_EQ(tcp("", "127.0.0.1"), "refused");
}

// Its rules see what goes from port to port: the pod's own then takes the way back by the port that it came from.
TEST_P(PortmapTraffic, WithBrNetfilterToo) {
  PARITY("T-P18");
  for (const std::string& port : names_on_bridge()) must_run({"bridge", "link", "set", "dev", port, "hairpin", "on"});
  if (!std::filesystem::exists("/proc/sys/net/bridge/bridge-nf-call-iptables")) return;  // none without the module
  set_sysctl("net/bridge/bridge-nf-call-iptables", "1");
  set_sysctl("net/bridge/bridge-nf-call-ip6tables", "1");
  must_add(config(c1_, both_), c1_);
  for (const Attachment& each : {c1_, c2_}) {
    EXPECT_EQ(tcp(each.netns, "192.0.2.1"), "10.1.0.1");
    EXPECT_EQ(udp(each.netns, "2001:db8::1"), "fd01::1");
  }
}

TEST_P(PortmapTraffic, LoopbackOfIpv6IsTheHostsOwn) {
  PARITY("T-P19 P13");
  must_add(config(c1_, both_), c1_);
  EXPECT_EQ(tcp("", "::1"), "refused") << "not a black hole";
  const Mirror of_host("", Talk::kTcp, 8080);
  EXPECT_EQ(tcp("", "::1"), "::1");
}

TEST_P(PortmapTraffic, WithoutSourceNatLoopbackIsTheHostsOwn) {
  PARITY("T-P06 P13");
  Json config = this->config(c1_, both_);
  config["snat"] = false;
  must_add(config, c1_);
  EXPECT_EQ(tcp(outside(), "192.0.2.1"), "192.0.2.2");
  EXPECT_EQ(tcp("", "192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(tcp("", "127.0.0.1"), "refused");
  EXPECT_EQ(tcp_briefly(c1_.netns, "192.0.2.1"), "silence");
  EXPECT_EQ(sysctl("net/ipv4/conf/br0/route_localnet"), "0");
  EXPECT_TRUE(nft_objects_with("{\"masquerade\"").empty());
  EXPECT_TRUE(succeeded_silently(check(config, c1_)));
  must_add(this->config(c1_, both_), c1_);
  EXPECT_EQ(tcp("", "127.0.0.1"), "10.1.0.1") << "and with it again";
  must_add(config, c1_);
  EXPECT_EQ(tcp("", "127.0.0.1"), "refused") << "and without";
}

TEST_P(PortmapTraffic, MasqAllHidesEveryClient) {
  PARITY("T-P07 P9");
  Json config = this->config(c1_, both_);
  config["masqAll"] = true;
  must_add(config, c1_);
  EXPECT_EQ(tcp(outside(), "192.0.2.1"), "10.1.0.1");
  EXPECT_EQ(udp(outside(), "2001:db8::1"), "fd01::1");
  EXPECT_EQ(tcp(c2_.netns, "10.1.0.2", 80), "10.1.0.3") << "what was not led is not masqueraded";
}

TEST_P(PortmapTraffic, HostIpIsThatAddressAlone) {
  PARITY("T-P04");
  must_add(config(c1_, {mapping(8080, 80, "tcp", "192.0.2.1"), mapping(8081, 80, "tcp", "0.0.0.0"),
                        mapping(8082, 80, "tcp", "::"), mapping(8083, 80, "tcp", "::ffff:192.0.2.1")}),
           c1_);
  EXPECT_EQ(tcp(outside(), "192.0.2.1", 8080), "192.0.2.2");
  EXPECT_EQ(tcp("", "10.1.0.1", 8080), "refused");
  EXPECT_EQ(tcp(outside(), "2001:db8::1", 8080), "refused");
  EXPECT_EQ(tcp(outside(), "192.0.2.1", 8081), "192.0.2.2");
  EXPECT_EQ(tcp(outside(), "2001:db8::1", 8081), "refused");
  EXPECT_EQ(tcp(outside(), "192.0.2.1", 8082), "refused");
  EXPECT_EQ(tcp(outside(), "2001:db8::1", 8082), "2001:db8::2");
  EXPECT_EQ(tcp(outside(), "192.0.2.1", 8083), "192.0.2.2");
}

// CVE-2025-67499.
TEST_P(PortmapTraffic, WhatGoesElsewhereIsNotLed) {
  PARITY("T-P02");
  must_add(config(c1_, both_), c1_);
  const Mirror elsewhere(outside(), Talk::kTcp, 8080);
  EXPECT_EQ(tcp(c2_.netns, "192.0.2.2"), "10.1.0.3");
  EXPECT_EQ(tcp("", "192.0.2.2"), "192.0.2.1");
}

TEST_P(PortmapTraffic, PodsDoNotReachTheHostsLoopback) {
  PARITY("T-P20 P12");
  const Mirror of_host("", Talk::kTcp, 7000);
  must_add(config(c1_, both_), c1_);
  ASSERT_EQ(sysctl("net/ipv4/conf/br0/route_localnet"), "1");
  must_run({"ip", "route", "add", "127.0.0.0/8", "via", "10.1.0.1"}, c2_.netns);
  set_sysctl("net/ipv4/conf/all/route_localnet", "1", c2_.netns);
  EXPECT_EQ(tcp_briefly(c2_.netns, "127.0.0.1", 7000), "silence");
  must_run({"nft", "flush", "chain", "inet", "cnio_portmap", "guard"});
  EXPECT_EQ(tcp(c2_.netns, "127.0.0.1", 7000), "10.1.0.3") << "it is the guard that keeps it away";
}

TEST_P(PortmapTraffic, TheLastPortEndsTheRoutingOfLoopback) {
  PARITY("P12");
  must_add(config(c1_, both_), c1_);
  must_add(config(c2_, {mapping(9090, 80)}), c2_);
  must_del(config(c1_, {}), c1_);
  EXPECT_EQ(sysctl("net/ipv4/conf/br0/route_localnet"), "1") << "c2 needs it";
  must_del(config(c2_, {}), c2_);
  EXPECT_EQ(sysctl("net/ipv4/conf/br0/route_localnet"), "0");
  set_sysctl("net/ipv4/conf/br0/route_localnet", "1");
  must_add(config(c1_, both_), c1_);
  must_del(config(c1_, {}), c1_);
  EXPECT_EQ(sysctl("net/ipv4/conf/br0/route_localnet"), "1") << "it was somebody else who set it";
}

TEST_F(PortmapNftablesTraffic, ConditionsAreThePodsOwn) {
  PARITY("T-P10 P10");
  Json restricted = config(c1_, {mapping(8080, 80)});
  restricted["backend"] = "nftables";
  restricted["conditionsV4"] = {"ip", "saddr", "{ 10.1.0.0/24, 203.0.113.1 }"};
  must_add(restricted, c1_);
  EXPECT_TRUE(succeeded_silently(check(restricted, c1_)));
  const Mirror on_c2(c2_.netns, Talk::kTcp, 90);
  must_add(config(c2_, {mapping(9090, 90)}), c2_);
  EXPECT_EQ(tcp(c2_.netns, "192.0.2.1"), "10.1.0.1");
  EXPECT_EQ(tcp(outside(), "192.0.2.1"), "refused");
  EXPECT_EQ(tcp(outside(), "2001:db8::1"), "2001:db8::2") << "IPv6 has no conditions";
  EXPECT_EQ(tcp(outside(), "192.0.2.1", 9090), "192.0.2.2");
  Json other = config(c2_, {mapping(8080, 90)});
  EXPECT_TRUE(failed(add(other, c2_), code::kInTheWay, {"net/c1/eth0"}));
  must_del(restricted, c1_);
  EXPECT_FALSE(has_rules("net/c1"));
}

// CVE-2019-9946.
TEST_F(PortmapNftablesTraffic, WhoeverTranslatesAtDstnatGoesFirst) {
  PARITY("T-P39 P26");
  const Mirror on_c2(c2_.netns, Talk::kTcp, 90);
  const std::string foreign = R"(table ip foreign {
    chain pre { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to 10.1.0.3:90; }
  })";
  for (const bool before : {true, false}) {
    if (before) must_feed({"nft", "-f", "-"}, foreign);
    must_add(config(c1_, {mapping(8080, 81)}), c1_);
    if (!before) must_feed({"nft", "-f", "-"}, foreign);
    EXPECT_EQ(tcp(outside(), "192.0.2.1"), "192.0.2.2");
    must_del(config(c1_, {}), c1_);
    must_run({"nft", "delete", "table", "ip", "foreign"});
  }
}

TEST_P(PortmapTraffic, DatagramsOfAnEarlierConnectionComeToThePod) {
  PARITY("T-P21 P6");
  const Mirror elsewhere(outside(), Talk::kUdp, 8080);
  must_feed({"nft", "-f", "-"}, R"(table inet tracking {
    chain pre { type filter hook prerouting priority 0; ct state new counter; }
  })");
  const auto from_c2 = [&] { return talk(c2_.netns, Talk::kUdp, "192.0.2.2", 8080, kLongPatienceMs, 5000); };
  const auto from_outside = [&](int patience) {
    return talk(outside(), Talk::kUdp, "192.0.2.1", 8080, patience, 6000);
  };
  EXPECT_EQ(from_outside(kShortPatienceMs), "refused");
  EXPECT_EQ(from_c2(), "10.1.0.3");
  const auto of_c2 = [] { return must_run({"grep", "-c", "sport=5000", "/proc/net/nf_conntrack"}); };
  const std::string flows = of_c2();
  must_add(config(c1_, both_), c1_);
  EXPECT_EQ(from_outside(kLongPatienceMs), "192.0.2.2");
  EXPECT_EQ(of_c2(), flows) << "one to that port of another host is left alone";
}

TEST_P(PortmapTraffic, DatagramsDoNotGoOnToAPodThatIsGone) {
  PARITY("T-P22 P5");
  must_add(config(c1_, both_), c1_);
  const auto from_outside = [&](int patience) {
    return talk(outside(), Talk::kUdp, "192.0.2.1", 8080, patience, 6000);
  };
  EXPECT_EQ(from_outside(kLongPatienceMs), "192.0.2.2");
  must_del(config(c1_, both_), c1_);
  EXPECT_EQ(from_outside(kShortPatienceMs), "refused");
}

TEST_P(PortmapTraffic, APtpPodsOwnInterfaceIsResetWithItsPorts) {
  const Attachment alone = pod("alone");
  const Json result = must_add(dual_ptp_config(), alone);
  const Mirror mirror(alone.netns, Talk::kTcp, 80);
  Json ports = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "portmap"}};
  ports["runtimeConfig"]["portMappings"] = Json::array({mapping(8088, 80)});
  ports = with_prev_result(ports, result);
  must_add(ports, alone);
  EXPECT_NE(tcp("", "127.0.0.1", 8088), "refused");
  must_add(config(c1_, both_), c1_);
  const std::string setting = "net/ipv4/conf/" + result.at("interfaces").at(0).at("name").get<std::string>();
  EXPECT_EQ(sysctl(setting + "/route_localnet"), "1");
  EXPECT_TRUE(succeeded_silently(check(ports, alone)));
  must_del(ports, alone);
  EXPECT_EQ(sysctl(setting + "/route_localnet"), "0");
  EXPECT_EQ(sysctl("net/ipv4/conf/br0/route_localnet"), "1");
}

}  // namespace
}  // namespace cnio::test
