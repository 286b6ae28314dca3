// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/port_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "firewall/nft_words.hpp"
#include "firewall/port_map_plan.hpp"
#include "firewall/port_map_record.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::firewall {
namespace {

const IpAddr kPod4 = *IpAddr::parse("10.88.0.11");
const IpAddr kPod6 = *IpAddr::parse("fd88::11");
const IpAddr kHost4 = *IpAddr::parse("192.168.50.1");

size_t alternatives(const std::string& words, Family family = Family::kIpv4) {
  const auto parsed = parse_nft_words(family, {words});
  EXPECT_OK(parsed);
  return parsed.ok() ? parsed.value().size() : 0;
}

TEST(NftWords, AnElementOfAListIsAnAlternativeAndNoneOfAListIsOne) {
  EXPECT_EQ(alternatives("ip saddr 10.0.0.1"), 1);
  EXPECT_EQ(alternatives("ip saddr { 10.0.0.1, 10.1.0.0/16 }"), 2);
  EXPECT_EQ(alternatives("ip saddr {10.0.0.1,10.1.0.0/16,} iifname {eth0, \"eth1\"}"), 4);
  EXPECT_EQ(alternatives("ip saddr != { 10.0.0.1, 10.1.0.0/16 }"), 1);
  EXPECT_EQ(alternatives("ip6 daddr fd00::1", Family::kIpv6), 1);
  EXPECT_EQ(alternatives("meta mark & 0xff == 0x1 tcp sport 1024-65535 th dport 80 mark != 7 meta iifname lo"), 1);
}

TEST(NftWords, ConditionsStandOneAfterTheOther) {
  const auto in_one = parse_nft_words(Family::kIpv4, {"ip saddr 10.0.0.0/8 iif eth0"});
  const auto in_several = parse_nft_words(Family::kIpv4, {"ip", "saddr 10.0.0.0/8", "iif", "eth0"});
  ASSERT_OK(in_one);
  ASSERT_OK(in_several);
  EXPECT_EQ(in_one.value(), in_several.value());
}

TEST(NftWords, WhatIsNotUnderstoodIsRefused) {
  for (const char* words : {"ip",
                            "ip saddr",
                            "ip saddr 10.0.0",
                            "ip saddr fd00::1",
                            "ip6 saddr fd00::1",
                            "ct state new",
                            "ip saddr { 10.0.0.1",
                            "ip saddr { 10.0.0.1 10.0.0.2 }",
                            "ip saddr @set",
                            "tcp",
                            "tcp sport 70000",
                            "tcp sport 9-1",
                            "tcp sport != 1-9",
                            "meta",
                            "meta mark x",
                            "meta mark & == 1",
                            "iifname eth*",
                            "iifname abcdefghijklmnop",
                            "ip saddr != ",
                            "drop",
                            "ip saddr 10.0.0.1 drop",
                            "{",
                            "\"",
                            ","}) {
    EXPECT_ERROR(parse_nft_words(Family::kIpv4, {words}), Code::kInvalidConfig, "not understood") << words;
  }
}

TEST(NftWords, CombinationsAreLimited) {
  const std::string many = "{1,2,3,4,5,6,7,8,9}";
  EXPECT_ERROR(parse_nft_words(Family::kIpv4, {"tcp sport " + many + " tcp dport " + many}), Code::kInvalidConfig);
}

TEST(LedPort, TextIsReadBack) {
  for (const LedPort& port : {LedPort{6, std::nullopt, 8080, kPod4, 80}, LedPort{17, kHost4, 53, kPod4, 65535},
                              LedPort{132, *IpAddr::parse("fd50::1"), 1, kPod6, 2}, LedPort{136, {}, 9, kPod6, 9}}) {
    PortMapRecord record;
    record.understand(port.text());
    EXPECT_THAT(record.ports, testing::ElementsAre(port)) << port.text();
  }
  EXPECT_EQ((LedPort{6, *IpAddr::parse("fd50::1"), 8080, kPod6, 80}).text(), "tcp [fd50::1]:8080 -> [fd88::11]:80");
}

TEST(LedPort, OtherCommentsAreNone) {
  for (const char* text : {"", "tcp", "tcp *:1", "tcp *:1 -> ", "tcp *:0 -> 10.0.0.1:80", "icmp *:1 -> 10.0.0.1:80",
                           "tcp *:1 -> *:80", "tcp 10.0.0.1:1 -> [fd00::1]:80", "tcp *:99999 -> 10.0.0.1:80",
                           "tcp x:1 -> 10.0.0.1:80", " -> ", "pod", "route_localnet"}) {
    PortMapRecord record;
    record.understand(text);
    EXPECT_TRUE(record.empty()) << text;
  }
}

TEST(PortMapRecord, MarksAreReadBack) {
  PortMapRecord record;
  record.masqueraded = {{*Cidr::parse("10.88.0.0/24"), kPod4}, {*Cidr::parse("::/0"), kPod6}};
  record.conditional6 = true;
  record.quiet = true;
  record.localnet = "veth1";
  PortMapRecord again;
  for (const std::string& mark : record.marks()) again.understand(mark);
  EXPECT_EQ(again.marks(), record.marks());
  EXPECT_EQ(again.localnet, "veth1");
  EXPECT_EQ(again.masqueraded, record.masqueraded);
}

PortMapSpec dual(const std::vector<PortMapping>& mappings) {
  PortMapSpec spec;
  spec.owner = {"n", {"c1", "eth0"}};
  spec.mappings = mappings;
  spec.pod = {*Cidr::parse("10.88.0.11/24"), *Cidr::parse("fd88::11/64")};
  return spec;
}

std::vector<std::string> planned(const PortMapSpec& spec, std::vector<std::string>* notes = nullptr) {
  std::vector<std::string> ignored;
  const auto plan = plan_port_map(spec, std::nullopt, notes != nullptr ? *notes : ignored);
  EXPECT_OK(plan);
  std::vector<std::string> out;
  for (const LedPort& port : plan.value().record.ports) out.push_back(port.text());
  return out;
}

TEST(PortMapPlan, HostIpSaysWhichFamiliesAreServed) {
  PARITY("T-P04");
  using testing::ElementsAre;
  EXPECT_THAT(planned(dual({{6, 8080, 80, {}}})),
              ElementsAre("tcp *:8080 -> 10.88.0.11:80", "tcp *:8080 -> [fd88::11]:80"));
  EXPECT_THAT(planned(dual({{6, 8080, 80, *IpAddr::parse("0.0.0.0")}})), ElementsAre("tcp *:8080 -> 10.88.0.11:80"));
  EXPECT_THAT(planned(dual({{6, 8080, 80, *IpAddr::parse("::")}})), ElementsAre("tcp *:8080 -> [fd88::11]:80"));
  EXPECT_THAT(planned(dual({{6, 8080, 80, kHost4}})), ElementsAre("tcp 192.168.50.1:8080 -> 10.88.0.11:80"));
}

TEST(PortMapPlan, TheSamePortByTwoNamesIsOne) {
  EXPECT_THAT(planned(dual({{6, 8080, 80, *IpAddr::parse("0.0.0.0")}, {6, 8080, 80, {}}})), testing::SizeIs(2));
}

TEST(PortMapPlan, WhatNoPacketCanUseIsLeftOut) {
  PARITY("P13");
  std::vector<std::string> notes;
  EXPECT_THAT(planned(dual({{6, 8080, 80, *IpAddr::parse("::1")}}), &notes), testing::IsEmpty());
  EXPECT_THAT(notes, testing::ElementsAre(testing::HasSubstr("tcp [::1]:8080")));
  PortMapSpec spec = dual({{6, 8080, 80, *IpAddr::parse("127.0.0.1")}});
  EXPECT_THAT(planned(spec), testing::SizeIs(1));
  spec.snat = false;
  EXPECT_THAT(planned(spec), testing::IsEmpty());
}

}  // namespace
}  // namespace cnio::firewall
