// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cnio/attachment/chained.hpp"

#include "portmap/config.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::portmap {
namespace {

using firewall::PortMapSpec;

protocol::Request request_of(const std::string& members) {
  const protocol::Environment environment({"CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/none",
                                           "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin"});
  protocol::Request request = protocol::parse_environment(environment).value();
  const std::string text = R"({"cniVersion": "1.1.0", "name": "n", "type": "portmap")" + members + "}";
  EXPECT_OK(protocol::parse_stdin(request, text));
  return request;
}

Result<PortMapSpec> parsed(const std::string& members) { return parse_config(request_of(members)); }

Result<PortMapSpec> mapped(const std::string& mappings) {
  return parsed(R"(, "backend": "nftables", "runtimeConfig": {"portMappings": )" + mappings + "}");
}

// "tcp 8080:80", "udp 192.168.50.1:53:53".
std::string described(const std::string& mappings) {
  const auto spec = mapped(mappings);
  EXPECT_OK(spec);
  std::string out;
  for (const firewall::PortMapping& each : spec.ok() ? spec.value().mappings : std::vector<firewall::PortMapping>()) {
    out.append(out.empty() ? "" : ", ").append(firewall::transport_name(each.protocol)).append(" ");
    if (each.host_ip) out.append(each.host_ip->to_string()).append("#");
    out.append(std::to_string(each.host_port)).append(":").append(std::to_string(each.pod_port));
  }
  return out;
}

std::string one(const std::string& members) {
  return R"([{"hostPort": 8080, "containerPort": 80, "protocol": "tcp")" + members + "}]";
}

TEST(PortmapConfig, Defaults) {
  const auto spec = parsed("");
  ASSERT_OK(spec);
  EXPECT_TRUE(spec.value().mappings.empty());
  EXPECT_TRUE(spec.value().snat);
  EXPECT_FALSE(spec.value().masquerade_all);
  EXPECT_EQ(spec.value().mark, 0x2000U);
  EXPECT_EQ(spec.value().owner.text(), "n/c1/eth0");
}

TEST(PortmapConfig, ProtocolsInAnyCaseOrByNumber) {
  PARITY("T-P14 P17");
  for (const auto& [text, name] : {std::pair("tcp", "tcp"),
                                   {"TCP", "tcp"},
                                   {"6", "tcp"},
                                   {"Udp", "udp"},
                                   {"17", "udp"},
                                   {"SCTP", "sctp"},
                                   {"132", "sctp"},
                                   {"dccp", "dccp"},
                                   {"136", "udplite"}}) {
    EXPECT_EQ(described(R"([{"hostPort": 1, "containerPort": 2, "protocol": ")" + std::string(text) + R"("}])"),
              std::string(name) + " 1:2");
  }
  for (const std::string text :
       {R"("")", R"("icmp")", R"("1")", R"("tc")", R"("tcpp")", R"("-6")", R"("6x")", "6", "null"}) {
    EXPECT_ERROR(mapped(R"([{"hostPort": 1, "containerPort": 2, "protocol": )" + text + "}]"), Code::kInvalidConfig,
                 "runtimeConfig.portMappings[0].protocol")
        << text;
  }
}

TEST(PortmapConfig, IptablesKnowsNoPortsOfUdplite) {
  const std::string ports =
      R"("runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 2, "protocol": "136"}]})";
  EXPECT_ERROR(parsed(", " + ports), Code::kInvalidConfig, "\"backend\"", "udplite");
  EXPECT_ERROR(parsed(R"(, "backend": "iptables", )" + ports), Code::kInvalidConfig, "\"backend\"");
}

TEST(PortmapConfig, PortsOutOfRangeAreNamed) {
  PARITY("T-P13");
  for (const std::string port : {"0", "-5", "65536", "\"80\"", "1.5", "null"}) {
    EXPECT_ERROR(mapped(R"([{"hostPort": )" + port + R"(, "containerPort": 80, "protocol": "tcp"}])"),
                 Code::kInvalidConfig, "runtimeConfig.portMappings[0].hostPort");
    EXPECT_ERROR(mapped(R"([{"hostPort": 80, "containerPort": )" + port + R"(, "protocol": "tcp"}])"),
                 Code::kInvalidConfig, "runtimeConfig.portMappings[0].containerPort");
  }
  EXPECT_ERROR(mapped("[null]"), Code::kInvalidConfig, "portMappings[0]");
  EXPECT_ERROR(mapped("{}"), Code::kInvalidConfig, "portMappings");
}

TEST(PortmapConfig, HostIpIsAnAddressOfEitherFamily) {
  PARITY("T-P04 T-P05 P14");
  EXPECT_EQ(described(one(R"(, "hostIP": "192.168.50.1")")), "tcp 192.168.50.1#8080:80");
  EXPECT_EQ(described(one(R"(, "hostIP": "::ffff:192.168.50.1")")), "tcp 192.168.50.1#8080:80");
  EXPECT_EQ(described(one(R"(, "hostIP": "")")), "tcp 8080:80");
  EXPECT_EQ(described(one(R"(, "hostIP": "::")")), "tcp ::#8080:80");
  for (const std::string ip : {"foo", "192.168.050.1", "192.168.50.0/24", "localhost", "fe80::1%eth0"}) {
    EXPECT_ERROR(mapped(one(R"(, "hostIP": ")" + ip + "\"")), Code::kInvalidConfig,
                 "runtimeConfig.portMappings[0].hostIP");
  }
}

TEST(PortmapConfig, UnspecifiedAddressesMeanAllOfAFamily) {
  const auto spec = mapped(one(R"(, "hostIP": "0.0.0.0")"));
  ASSERT_OK(spec);
  const firewall::PortMapping& mapping = spec.value().mappings.at(0);
  EXPECT_TRUE(mapping.serves(Family::kIpv4));
  EXPECT_FALSE(mapping.serves(Family::kIpv6));
  EXPECT_FALSE(mapping.only_address());
}

TEST(PortmapConfig, ARangeIsThatManyPorts) {
  EXPECT_EQ(described(one(R"(, "range": 3)")), "tcp 8080:80, tcp 8081:81, tcp 8082:82");
  EXPECT_EQ(described(one(R"(, "range": 1)")), "tcp 8080:80");
  for (const std::string range : {"0", "-1", "65536", "\"2\""}) {
    EXPECT_ERROR(mapped(one(R"(, "range": )" + range)), Code::kInvalidConfig, "runtimeConfig.portMappings[0].range");
  }
  EXPECT_ERROR(mapped(one(R"(, "range": 60000)")), Code::kInvalidConfig, "ends beyond port 65535");
  EXPECT_EQ(
      mapped(R"([{"hostPort": 1, "containerPort": 1, "protocol": "tcp", "range": 65535}])").value().mappings.size(),
      65535);
}

TEST(PortmapConfig, ManyRangesAreNotMillionsOfPorts) {
  const std::string half =
      R"("hostPort": 1, "containerPort": 1, "protocol": "tcp", "range": 32767, "hostIP": "10.0.0.)";
  const std::string two = "{" + half + R"(1"}, {)" + half + R"(2"})";
  EXPECT_EQ(mapped("[" + two + "]").value().mappings.size(), 65534);
  EXPECT_ERROR(mapped("[" + two + ", {" + half + R"(3"}])"), Code::kInvalidConfig, "portMappings[2].range", "65535");
}

TEST(PortmapConfig, OnePortOfTheHostLeadsToOneOfThePod) {
  EXPECT_EQ(described(R"([{"hostPort": 1, "containerPort": 2, "protocol": "tcp"},
                          {"hostPort": 1, "containerPort": 2, "protocol": "TCP"},
                          {"hostPort": 1, "containerPort": 3, "protocol": "udp"},
                          {"hostPort": 1, "containerPort": 3, "protocol": "tcp", "hostIP": "10.0.0.1"}])"),
            "tcp 1:2, udp 1:3, tcp 10.0.0.1#1:3");
  EXPECT_ERROR(mapped(R"([{"hostPort": 1, "containerPort": 2, "protocol": "tcp"},
                          {"hostPort": 1, "containerPort": 3, "protocol": "tcp"}])"),
               Code::kInvalidConfig, "runtimeConfig.portMappings[1].hostPort", "leads to container port 2 already");
}

TEST(PortmapConfig, OnlyRuntimeConfigHasPorts) {
  EXPECT_TRUE(parsed(R"(, "portMappings": [{"hostPort": 0}])").value().mappings.empty());
  EXPECT_TRUE(parsed(R"(, "args": {"cni": {"portMappings": [{"hostPort": 0}]}})").value().mappings.empty());
}

TEST(PortmapConfig, MarkBit) {
  PARITY("T-P08");
  EXPECT_EQ(parsed(R"(, "markMasqBit": 0)").value().mark, 1U);
  EXPECT_EQ(parsed(R"(, "markMasqBit": 31)").value().mark, 0x80000000U);
  for (const std::string bit : {"-1", "32", "\"13\""}) {
    EXPECT_ERROR(parsed(R"(, "markMasqBit": )" + bit), Code::kInvalidConfig, "markMasqBit");
  }
  EXPECT_ERROR(parsed(R"(, "markMasqBit": 13, "externalSetMarkChain": "KUBE-MARK-MASQ")"), Code::kInvalidConfig,
               "externalSetMarkChain");
  EXPECT_ERROR(parsed(R"(, "externalSetMarkChain": "")"), Code::kInvalidConfig, "externalSetMarkChain");
  EXPECT_ERROR(parsed(R"(, "externalSetMarkChain": ")" + std::string(29, 'x') + "\""), Code::kInvalidConfig,
               "externalSetMarkChain");
  EXPECT_ERROR(parsed(R"(, "backend": "nftables", "externalSetMarkChain": "KUBE-MARK-MASQ")"), Code::kInvalidConfig,
               "externalSetMarkChain");
}

TEST(PortmapConfig, BackendIsSpelledExactly) {
  PARITY("T-P11");
  for (const std::string backend : {"\"foo\"", "\"\"", "\"IPTABLES\"", "1"}) {
    EXPECT_ERROR(parsed(R"(, "backend": )" + backend), Code::kInvalidConfig, "backend");
  }
  EXPECT_OK(parsed(R"(, "backend": null)"));
  EXPECT_EQ(parsed("").value().backend, firewall::PortMapBackend::kShown);
  EXPECT_EQ(parsed(R"(, "backend": "iptables")").value().backend, firewall::PortMapBackend::kIptables);
  EXPECT_EQ(parsed(R"(, "backend": "nftables")").value().backend, firewall::PortMapBackend::kNftables);
}

TEST(PortmapConfig, ConditionsAreInTheWordsOfTheBackend) {
  PARITY("T-P10");
  const std::string nft = R"(, "backend": "nftables", )";
  EXPECT_OK(parsed(nft + R"("conditionsV4": [], "conditionsV6": null)"));
  EXPECT_OK(parsed(nft + R"("conditionsV4": ["ip", "saddr", "10.0.0.0/8"], "conditionsV6": ["ip6 saddr fd00::/8"])"));
  for (const std::string words : {R"("-s", "10.0.0.0/8")", R"("!", "-s")", R"("")", R"("ip6 saddr fd00::/8")",
                                  R"("frobnicate")", R"("ip saddr")", "1"}) {
    EXPECT_ERROR(parsed(nft + R"("conditionsV4": [)" + words + "]"), Code::kInvalidConfig, "conditionsV4") << words;
  }
  EXPECT_ERROR(parsed(nft + R"("conditionsV6": ["ip saddr 10.0.0.0/8"])"), Code::kInvalidConfig, "conditionsV6");
  EXPECT_OK(parsed(R"(, "conditionsV4": ["-s", "10.0.0.0/8"], "conditionsV6": ["!", "-s", "fd00::/8"])"));
  EXPECT_ERROR(parsed(R"(, "conditionsV4": ["ip saddr 10.0.0.0/8"])"), Code::kInvalidConfig, "conditionsV4");
}

TEST(PortmapConfig, ThePodsFirstAddressOfEachFamilyIsChosen) {
  PARITY("T-P16");
  const auto request = request_of(R"(, "prevResult": {"cniVersion": "1.1.0",
      "interfaces": [{"name": "br0"}, {"name": "eth0", "sandbox": "/x"}, {"name": "eth1", "sandbox": "/x"}],
      "ips": [{"address": "10.1.0.1/24", "interface": 0}, {"address": "10.1.0.2/24", "interface": 1},
              {"address": "10.1.0.3/24", "interface": 1}, {"address": "fd02::2/64", "interface": 2},
              {"address": "fd01::2/64"}]})");
  const auto result = attachment::readable_prev_result(request);
  ASSERT_TRUE(result);
  EXPECT_THAT(choose_addresses(*result, {"c1", "eth0"}),
              testing::ElementsAre(*Cidr::parse("10.1.0.2/24"), *Cidr::parse("fd01::2/64")));
  EXPECT_THAT(choose_addresses(*result, {"c1", "eth9"}), testing::ElementsAre(*Cidr::parse("fd01::2/64")));
}

}  // namespace
}  // namespace cnio::portmap
