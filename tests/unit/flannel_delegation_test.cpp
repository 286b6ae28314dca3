// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What the delegate is told. The expected texts of the reference's table are what flannel v1.9.1-flannel1 has written
// to a delegate that recorded it.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "flannel/delegation.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::flannel {
namespace {

constexpr char kIpv4[] =
    "FLANNEL_NETWORK=10.244.0.0/16\n"
    "FLANNEL_SUBNET=10.244.1.1/24\n"
    "FLANNEL_MTU=1450\n"
    "FLANNEL_IPMASQ=true\n";

constexpr char kBoth[] =
    "FLANNEL_NETWORK=10.244.0.0/16\n"
    "FLANNEL_SUBNET=10.244.1.1/24\n"
    "FLANNEL_IPV6_NETWORK=fd01::/48\n"
    "FLANNEL_IPV6_SUBNET=fd01:0:0:1::1/64\n"
    "FLANNEL_MTU=1450\n"
    "FLANNEL_IPMASQ=true\n";

constexpr char kIpv6[] =
    "FLANNEL_IPV6_NETWORK=fd01::/48,fd02::/48\n"
    "FLANNEL_IPV6_SUBNET=fd01:0:0:1::/64\n"
    "FLANNEL_MTU=0\n"
    "FLANNEL_IPMASQ=false\n";

constexpr char kMasquerading[] =
    "FLANNEL_NETWORK=10.244.0.0/16\n"
    "FLANNEL_SUBNET=10.244.1.1/24\n"
    "FLANNEL_MTU=1450\n"
    "FLANNEL_IPMASQ=false\n";

struct DelegationCase {
  const char* name;
  const char* subnets;
  const char* config;
  const char* expected;
};
void PrintTo(const DelegationCase& row, std::ostream* out) { *out << row.name; }

constexpr DelegationCase kReference[] =
    {
        {"KubeFlannel", kIpv4,
         R"({"name":"cbr0","cniVersion":"0.3.1","type":"flannel","delegate":{"hairpinMode":true,"isDefaultGateway":true}})",
         R"({"cniVersion":"0.3.1","hairpinMode":true,"ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}],"type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":"cbr0","type":"bridge"})"},
        {"NoDelegate", kIpv4, R"({"name":"cbr0","type":"flannel"})",
         R"({"ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}],"type":"host-local"},"isGateway":true,"mtu":1450,"name":"cbr0","type":"bridge"})"},
        {"BothFamilies", kBoth,
         R"({"name":"cbr0","cniVersion":"0.3.1","type":"flannel","delegate":{"hairpinMode":true,"isDefaultGateway":true}})",
         R"({"cniVersion":"0.3.1","hairpinMode":true,"ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}],[{"subnet":"fd01:0:0:1::/64"}]],"routes":[{"dst":"10.244.0.0/16"},{"dst":"fd01::/48"}],"type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":"cbr0","type":"bridge"})"},
        {"OnlyIpv6", kIpv6, R"({"name":"v6","cniVersion":"1.0.0","type":"flannel","delegate":{"ipMasq":false}})",
         R"({"cniVersion":"1.0.0","ipMasq":false,"ipam":{"ranges":[[{"subnet":"fd01:0:0:1::/64"}]],"routes":[{"dst":"fd01::/48"},{"dst":"fd02::/48"}],"type":"host-local"},"isGateway":true,"mtu":0,"name":"v6","type":"bridge"})"},
        {"OwnValues", kIpv4,
         R"({"name":"n","cniVersion":"1.1.0","type":"flannel","delegate":{"zeta":[{"b":1,"a":2.5,"b":3}],"mtu":1400,"ipMasq":false,"type":"ptp","bridge":"cni7","Alpha":1450.0,"html":"<a&b>\u2028","cniVersion":"0.1.0"}})",
         R"({"Alpha":1450,"bridge":"cni7","cniVersion":"1.1.0","html":"\u003ca\u0026b\u003e\u2028","ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}],"type":"host-local"},"mtu":1400,"name":"n","type":"ptp","zeta":[{"a":2.5,"b":3}]})"},
        {"GivenIpam", kIpv4,
         R"({"name":"n","cniVersion":"0.4.0","type":"flannel","ipam":{"type":"bridge","dataDir":"/x","subnet":"10.1.0.0/24","ranges":[1],"routes":[{"dst":"0.0.0.0/0"},{"priority":5,"advmss":1360,"mtu":1400,"gw":"10.244.1.9","dst":"10.9.1.5/16","table":7,"scope":0,"other":1}]}})",
         R"({"cniVersion":"0.4.0","ipMasq":false,"ipam":{"dataDir":"/x","ranges":[[{"subnet":"10.244.1.0/24"}]],"routes":[{"dst":"0.0.0.0/0"},{"dst":"10.9.1.5/16","gw":"10.244.1.9","mtu":1400,"advmss":1360,"priority":5,"table":7,"scope":0},{"dst":"10.244.0.0/16"}],"subnet":"10.1.0.0/24","type":"bridge"},"isGateway":true,"mtu":1450,"name":"n","type":"bridge"})"},
        {"RuntimeConfig", kIpv4,
         R"({"name":"n","cniVersion":"0.3.1","type":"flannel","runtimeConfig":{"portMappings":[{"hostPort":80,"containerPort":8080}],"ips":[]},"delegate":{"runtimeConfig":{"mac":"x"},"isGateway":false,"isDefaultGateway":null}})", R"({"cniVersion":"0.3.1","ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}],"type":"host-local"},"isDefaultGateway":null,"isGateway":false,"mtu":1450,"name":"n","runtimeConfig":{"ips":[],"portMappings":[{"containerPort":8080,"hostPort":80}]},"type":"bridge"})"},
        {"NullMembers", kIpv4,
         R"({"name":"n","cniVersion":"0.3.1","type":"flannel","ipam":null,"runtimeConfig":null,"delegate":{"mtu":null,"hairpinMode":null}})",
         R"({"cniVersion":"0.3.1","hairpinMode":null,"ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}],"type":"host-local"},"isGateway":true,"mtu":null,"name":"n","type":"bridge"})"},
};

// Beyond what a request's own fields say, nothing of it counts.
protocol::Request request_of(const std::string& text) {
  protocol::Request request;
  request.plugin = "flannel";
  request.command = protocol::Command::kAdd;
  EXPECT_OK(protocol::parse_stdin(request, text));
  return request;
}

ipam::NodeSubnets subnets_of(const std::string& text) { return ipam::parse_subnets(text, "subnet.env").value(); }

std::string told(const std::string& subnets, const std::string& config) {
  const protocol::Request request = request_of(config);
  const auto parsed = parse_config(request);
  if (!parsed.ok()) return parsed.error().msg();
  const auto delegation = delegate_to(request, parsed.value(), subnets_of(subnets));
  return delegation.ok() ? delegation.value().config : delegation.error().msg();
}

class FlannelDelegation : public ::testing::TestWithParam<DelegationCase> {};

INSTANTIATE_TEST_SUITE_P(Reference, FlannelDelegation, ::testing::ValuesIn(kReference),
                         [](const auto& test) { return test.param.name; });

TEST_P(FlannelDelegation, IsTheReferencesByteForByte) {
  PARITY("T-F34 T-F36 T-F37");
  EXPECT_EQ(told(GetParam().subnets, GetParam().config), GetParam().expected);
}

constexpr char kBareConfig[] = R"({"cniVersion":"0.3.1","name":"n","type":"flannel"})";

TEST(FlannelMasquerade, LeavesTheClusterOut) {
  PARITY("T-F44 F30");
  EXPECT_EQ(told(kMasquerading, kBareConfig),
            R"({"cniVersion":"0.3.1","ipMasq":true,"ipMasqExclude":["10.244.0.0/16"],"ipam":{"ranges":[[{"subnet":)"
            R"("10.244.1.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}],"type":"host-local"},"isGateway":true,"mtu":1450,)"
            R"("name":"n","type":"bridge"})");
}

TEST(FlannelMasquerade, LeavesOutWhatTheDelegateIsToldTo) {
  PARITY("T-F44 F30");
  const std::string own =
      told(kMasquerading, R"({"name":"n","type":"flannel","delegate":{"ipMasqExclude":["10.9.0.0/16"]}})");
  EXPECT_NE(own.find(R"("ipMasqExclude":["10.9.0.0/16"])"), std::string::npos) << own;
  // flanneld masquerades, and the delegate, too, for somebody wants that.
  const std::string both = told(kBoth, R"({"name":"n","type":"flannel","delegate":{"ipMasq":true}})");
  EXPECT_NE(both.find(R"("ipMasqExclude":["10.244.0.0/16","fd01::/48"])"), std::string::npos) << both;
}

TEST(FlannelDelegate, GetsArgsAndDns) {
  PARITY("F24");
  const std::string text = told(kIpv4, R"({"name":"n","type":"flannel","args":{"cni":{"ips":["10.244.1.9"]}},
                                         "dns":{"search":["b","a"],"nameservers":["192.0.2.1"]}})");
  EXPECT_NE(
      text.find(R"({"args":{"cni":{"ips":["10.244.1.9"]}},"dns":{"nameservers":["192.0.2.1"],"search":["b","a"]})"),
      std::string::npos)
      << text;
  const std::string own =
      told(kIpv4, R"({"name":"n","type":"flannel","dns":{"domain":"a"},"delegate":{"dns":{"domain":"b"}}})");
  EXPECT_NE(own.find(R"("dns":{"domain":"b"})"), std::string::npos) << own;
}

TEST(FlannelDelegate, CannotBeAnything) {
  PARITY("T-F37");
  const auto fault = [](const std::string& members) {
    const protocol::Request request =
        request_of(R"({"cniVersion":"1.1.0","name":"n","type":"flannel",)" + members + "}");
    const auto config = parse_config(request);
    if (!config.ok()) return config.error().msg();
    const auto delegation = delegate_to(request, config.value(), subnets_of(kIpv4));
    return delegation.ok() ? "" : delegation.error().msg();
  };
  for (const auto& [members, word] : std::vector<std::pair<std::string, std::string>>{
           {R"("delegate":{"name":"x"})", "\"delegate.name\": must not be there"},
           {R"("delegate":{"ipam":{}})", "\"delegate.ipam\": must not be there"},
           {R"("delegate":{"type":7})", "\"delegate.type\": must be a string"},
           {R"("delegate":{"type":null})", "\"delegate.type\": must be a string"},
           {R"("delegate":{"type":"flannel"})", "\"delegate.type\": must be another plugin"},
           {R"("delegate":{"type":""})", "\"delegate.type\": must not be empty"},
           {R"("delegate":[])", "\"delegate\": must be an object"},
           {R"("ipam":{"routes":[{"gw":"10.1.0.1"}]})", "ipam.routes[0].dst"},
           {R"("ipam":{"type":1})", "\"ipam.type\": must be a string"},
           {R"("subnetFile":"")", "\"subnetFile\": must not be empty"},
           {R"("subnetFile":5)", "\"subnetFile\": must be a string"},
           {R"("dataDir":"")", "\"dataDir\": must not be empty"},
           {R"("runtimeConfig":5)", "\"runtimeConfig\": must be an object"},
           {R"("args":5)", "\"args\": must be an object"},
           {R"("dns":5)", "\"dns\": must be an object"},
       }) {
    EXPECT_NE(fault(members).find(word), std::string::npos) << members << ": " << fault(members);
  }
}

TEST(FlannelGuess, IsAsMuchAsCanBeKnown) {
  PARITY("T-F38 T-F39 F25");
  const protocol::Request request = request_of(
      R"({"cniVersion":"1.1.0","name":"n","type":"flannel","dataDir":5,"delegate":{"type":"ptp","ipam":1},"ipam":{"dataDir":"/x"}})");
  const Config config = readable_config(request);
  EXPECT_EQ(config.data_dir, "/var/lib/cni/flannel");
  EXPECT_EQ(
      guess_delegation(request, config, std::nullopt).config,
      R"({"cniVersion":"1.1.0","ipam":{"dataDir":"/x","type":"host-local"},"isGateway":true,"name":"n","type":"bridge"})");
  const Delegation whole = guess_delegation(request, config, subnets_of(kIpv4));
  EXPECT_NE(whole.config.find("10.244.1.0/24"), std::string::npos) << whole.config;
}

}  // namespace
}  // namespace cnio::flannel
