// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "static/config.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::static_ipam {
namespace {

// A request as the plugin gets it; `ipam` is the text of that object, `more` other members of the configuration.
protocol::Request request(const std::string& ipam, const std::string& more = "", const std::string& args = "",
                          const std::string& version = "1.1.0", const std::string& command = "ADD") {
  const protocol::Environment environment({"CNI_COMMAND=" + command, "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/x",
                                           "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin", "CNI_ARGS=" + args});
  auto parsed = protocol::parse_environment(environment);
  EXPECT_OK(parsed);
  protocol::Request out = std::move(parsed).value();
  EXPECT_OK(protocol::parse_stdin(
      out, R"({"cniVersion": ")" + version + R"(", "name": "net", "ipam": )" + ipam + more + "}"));
  return out;
}

// "10.1.0.5/24 10.1.0.1, ...": the addresses with their gateways.
std::string given(const protocol::Request& req) {
  const auto config = parse_config(req);
  EXPECT_OK(config);
  std::string out;
  if (!config.ok()) return out;
  for (const protocol::IpConfig& ip : config.value().addresses) {
    out += (out.empty() ? "" : ", ") + ip.address.to_string() + (ip.gateway ? " " + ip.gateway->to_string() : "");
  }
  return out;
}

// One address with a gateway, and routes.
std::string one(const std::string& address, const std::string& gateway, const std::string& routes = "[]") {
  return R"({"addresses": [{"address": ")" + address + R"(", "gateway": ")" + gateway + R"("}], "routes": )" + routes +
         "}";
}

const std::string kTwo =
    R"({"addresses": [{"address": "fd00::5/64"}, {"address": "10.1.0.5/24", "gateway": "10.1.0.1"}]})";

TEST(StaticConfig, KeepsOrderAndHostBits) {
  EXPECT_EQ(given(request(kTwo)), "fd00::5/64, 10.1.0.5/24 10.1.0.1");
  EXPECT_EQ(given(request("{}")), "");
  EXPECT_EQ(given(request(R"({"addresses": null})")), "");
}

TEST(StaticConfig, ReadsRoutesAndDns) {
  const auto config = parse_config(request(
      R"({"routes": [{"dst": "10.9.0.9/16", "gw": "10.1.0.9", "mtu": 1400, "scope": 0}],
          "dns": {"nameservers": ["x"], "domain": "d", "search": ["s"], "options": ["o"]}, "resolvConf": 7})"));
  ASSERT_OK(config);
  EXPECT_EQ(config.value().routes.at(0).dst.to_string(), "10.9.0.9/16");
  EXPECT_EQ(config.value().routes.at(0).mtu, 1400);
  EXPECT_EQ(config.value().dns.nameservers, std::vector<std::string>{"x"}) << "copied as it is";
  EXPECT_EQ(config.value().dns.options, std::vector<std::string>{"o"});
}

TEST(StaticConfig, EachSourceHasItsRank) {
  PARITY("T-F03 T-F04");
  const std::string args = R"(, "args": {"cni": {"ips": ["10.7.0.5/24"]}})";
  const std::string runtime = R"(, "runtimeConfig": {"ips": ["10.8.0.5/24", "fd08::5/64"]})";
  const std::string arguments = "IP=\t10.3.0.5/24 ,10.4.0.5/24;GATEWAY= 10.4.0.1\t";
  const std::string own = "fd00::5/64, 10.1.0.5/24 10.1.0.1";
  EXPECT_EQ(given(request(kTwo, "", arguments)), own + ", 10.3.0.5/24, 10.4.0.5/24 10.4.0.1");
  EXPECT_EQ(given(request(kTwo, args, arguments)), "10.7.0.5/24");
  EXPECT_EQ(given(request(kTwo, args + runtime, arguments)), "10.8.0.5/24, fd08::5/64");
  EXPECT_EQ(given(request(kTwo, R"(, "runtimeConfig": {"ips": []})")), own);
}

TEST(StaticConfig, WhatIsReplacedNeedNotBeGoodButOfItsType) {
  const std::string runtime = R"(, "runtimeConfig": {"ips": ["10.8.0.5/24"]})";
  EXPECT_EQ(given(request(R"({"addresses": [{"address": "x"}, {"address": "10.1.0.0/24"}]})", runtime)), "10.8.0.5/24");
  EXPECT_EQ(given(request("{}", runtime, "IP=x;GATEWAY=10.9.0.1")), "10.8.0.5/24");
  EXPECT_ERROR(parse_config(request(R"({"addresses": [{"address": 7}]})", runtime)), Code::kInvalidConfig,
               "ipam.addresses[0].address");
  EXPECT_ERROR(parse_config(request("{}", runtime, "GATEWAY=x")), Code::kInvalidEnvironment, "GATEWAY", "\"x\"");
}

TEST(StaticConfig, GatewaysThatWork) {
  PARITY("F2");
  EXPECT_EQ(given(request(one("10.1.0.5/24", ""))), "10.1.0.5/24");
  EXPECT_EQ(given(request(one("10.1.0.5/32", "172.16.0.1"))), "10.1.0.5/32 172.16.0.1");
  EXPECT_EQ(given(request(one("fd00::5/128", "2001:db8::1"))), "fd00::5/128 2001:db8::1");
  EXPECT_EQ(given(request(one("fd00::5/64", "fe80::1"))), "fd00::5/64 fe80::1");
  EXPECT_EQ(given(request(one("10.1.0.5/24", "169.254.1.1"))), "10.1.0.5/24 169.254.1.1");
  EXPECT_EQ(given(request(one("10.1.0.4/31", "10.1.0.5"))), "10.1.0.4/31 10.1.0.5");
  EXPECT_EQ(given(request(one("fd00::/127", "fd00::1"))), "fd00::/127 fd00::1");
  EXPECT_EQ(given(request(one("fd00::5/64", "fd00::"))), "fd00::5/64 fd00::") << "the routers' anycast address";
  const std::string route = R"([{"dst": "10.2.0.0/16", "scope": 253}])";
  EXPECT_EQ(given(request(one("10.1.0.5/24", "10.2.0.1", route))), "10.1.0.5/24 10.2.0.1");
}

TEST(StaticConfig, NoAddressOfThePodIsItsGateway) {
  const std::string crossed = R"({"addresses": [{"address": "10.1.0.5/24", "gateway": "10.1.0.6"},
                                               {"address": "10.1.0.6/24", "gateway": "10.1.0.5"}]})";
  EXPECT_ERROR(parse_config(request(crossed)), Code::kInvalidConfig, "ipam.addresses[0].gateway", "own address");
}

TEST(StaticConfig, GatewaysThatCannotWork) {
  PARITY("T-F05 F2");
  const std::pair<const char*, const char*> bad[] = {
      {"10.1.0.5/24", "10.2.0.1"},   {"10.1.0.5/24", "10.1.0.255"}, {"10.1.0.5/24", "10.1.0.5"},
      {"10.1.0.5/32", "10.1.0.5"},   {"10.1.0.5/32", "fe80::1"},    {"fd00::5/64", "169.254.1.1"},
      {"fd00::5/64", "2001:db8::1"}, {"10.1.0.5/32", "127.0.0.1"},  {"fd00::5/128", "ff02::1"},
      {"fd00::5/128", "::"},         {"10.1.0.5/24", "0.0.0.0"},    {"10.1.0.5/32", "255.255.255.255"}};
  for (const auto& [address, gateway] : bad) {
    EXPECT_ERROR(parse_config(request(one(address, gateway))), Code::kInvalidConfig, "ipam.addresses[0].gateway",
                 gateway);
  }
  EXPECT_ERROR(parse_config(request(one("10.1.0.5/24", "10.2.0.1", R"([{"dst": "10.2.0.0/16"}])"))),
               Code::kInvalidConfig, "10.2.0.1")
      << "that route itself needs a gateway";
}

TEST(StaticConfig, OldResultsHaveRoomForOneOfEachFamily) {
  PARITY("T-F02");
  EXPECT_EQ(given(request(kTwo, "", "", "0.2.0")), "fd00::5/64, 10.1.0.5/24 10.1.0.1");
  EXPECT_ERROR(parse_config(request(kTwo, "", "IP=10.2.0.5/24", "0.2.0")), Code::kInvalidConfig, "cniVersion");
  EXPECT_OK(parse_config(request(kTwo, "", "IP=10.2.0.5/24", "0.3.0")));
}

TEST(StaticConfig, ManyAddressesAreRead) {
  std::string ips;
  for (int number = 1; number < 20000; ++number) {
    ips += (ips.empty() ? "\"" : ", \"") + std::string("fd00::1:") + std::to_string(number % 10000) + ":" +
           std::to_string(number / 10000 + 1) + "/64\"";
  }
  const auto config = parse_config(request("{}", R"(, "runtimeConfig": {"ips": [)" + ips + "]}"));
  ASSERT_OK(config);
  EXPECT_EQ(config.value().addresses.size(), 19999U);
}

}  // namespace
}  // namespace cnio::static_ipam
