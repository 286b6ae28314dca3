// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/addressing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::attachment {
namespace {

using protocol::AddResult;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// An IPAM answer in the 1.1.0 shape.
AddResult answer(const std::string& text) {
  auto result = protocol::parse_delegate_result(text, protocol::kLatestVersion, "ipam");
  EXPECT_OK(result) << text;
  return result.ok() ? std::move(result).value() : AddResult{};
}

Completion config(bool gateway, bool default_gateway = false) {
  return {"ipam", 2, gateway || default_gateway, default_gateway};
}

AddResult completed(const Completion& config, const std::string& text) {
  auto result = complete_ipam_result(config, answer(text));
  EXPECT_OK(result) << text;
  return result.ok() ? std::move(result).value() : AddResult{};
}

std::vector<std::string> routes_of(const AddResult& result) {
  std::vector<std::string> out;
  for (const protocol::Route& route : result.routes) {
    out.push_back(route.dst.to_string() + (route.gw ? " via " + route.gw->to_string() : ""));
  }
  return out;
}

std::vector<std::string> gateways_of(const AddResult& result) {
  std::vector<std::string> out;
  for (const Cidr& cidr : gateway_addresses(result)) out.push_back(cidr.to_string());
  return out;
}

constexpr char kDual[] = R"({"ips": [{"address": "10.1.0.5/24"}, {"address": "fd01::5/64"}]})";

TEST(IpamResult, AddressesAreTiedToTheSandboxEntryAndForeignInterfacesDropped) {
  PARITY("T40");
  const AddResult result =
      completed(config(false), R"({"interfaces": [{"name": "x"}], "ips": [{"address": "10.1.0.5/24", "interface": 0},
                         {"address": "fd01::5/64"}]})");
  EXPECT_TRUE(result.interfaces.empty());
  EXPECT_EQ(result.ips.at(0).interface, 2U);
  EXPECT_EQ(result.ips.at(1).interface, 2U);
}

TEST(IpamResult, GatewayIsTheFirstOfTheNetworkIfWanted) {
  PARITY("T41");
  const AddResult with = completed(config(true), kDual);
  EXPECT_EQ(with.ips.at(0).gateway->to_string(), "10.1.0.1");
  EXPECT_EQ(with.ips.at(1).gateway->to_string(), "fd01::1");
  const AddResult without = completed(config(false), kDual);
  EXPECT_FALSE(without.ips.at(0).gateway || without.ips.at(1).gateway);
  const AddResult given = completed(config(true), R"({"ips": [{"address": "10.1.0.5/24", "gateway": "10.1.0.9"}]})");
  EXPECT_EQ(given.ips.at(0).gateway->to_string(), "10.1.0.9");
}

TEST(IpamResult, WithoutAddressIsAnError) {
  EXPECT_ERROR(complete_ipam_result(config(false), answer("{}")), Code::kDelegate, "\"ipam\"", "no address");
}

TEST(IpamResult, GatewayOfTheOtherFamilyIsAnError) {
  EXPECT_ERROR(
      complete_ipam_result(config(false), answer(R"({"ips": [{"address": "10.1.0.5/24", "gateway": "fd01::1"}]})")),
      Code::kDelegate, "fd01::1", "IPv4", "10.1.0.5/24");
}

// The bridge would take the container's own address.
TEST(IpamResult, GatewayThatIsTheAddressIsAnErrorWhereTheBridgeTakesIt) {
  for (const char* ip : {R"({"address": "10.1.0.1/24"})", R"({"address": "10.1.0.1/31"})",
                         R"({"address": "fd01::1/64"})", R"({"address": "10.1.0.9/24", "gateway": "10.1.0.9"})"}) {
    const std::string ipam = std::string(R"({"ips": [)") + ip + "]}";
    EXPECT_ERROR(complete_ipam_result(config(true), answer(ipam)), Code::kDelegate, "which is also the gateway's")
        << ip;
    EXPECT_OK(complete_ipam_result(config(false), answer(ipam))) << ip;
  }
}

TEST(DefaultRoutes, OnePerFamilyThroughItsFirstGateway) {
  PARITY("T43");
  EXPECT_THAT(routes_of(completed(config(false, true), kDual)),
              ElementsAre("0.0.0.0/0 via 10.1.0.1", "::/0 via fd01::1"));
  EXPECT_THAT(
      routes_of(completed(config(false, true), R"({"ips": [{"address": "10.1.0.5/24"}, {"address": "10.2.0.5/24"}]})")),
      ElementsAre("0.0.0.0/0 via 10.1.0.1"));
  EXPECT_THAT(routes_of(completed(config(true), kDual)), IsEmpty());
}

TEST(DefaultRoutes, ThoseOfIpamAreNotDoubled) {
  PARITY("T42 T43");
  const auto routes = [](const std::string& list) {
    return routes_of(
        completed(config(false, true), R"({"ips": [{"address": "10.1.0.5/24"}], "routes": )" + list + "}"));
  };
  EXPECT_THAT(routes(R"([{"dst": "0.0.0.0/0", "gw": "10.1.0.9"}])"), ElementsAre("0.0.0.0/0 via 10.1.0.9"));
  // D11: one without gateway is that route too.
  EXPECT_THAT(routes(R"([{"dst": "0.0.0.0/0"}])"), ElementsAre("0.0.0.0/0"));
  EXPECT_THAT(routes(R"([{"dst": "0.0.0.0/0", "table": 254}])"), ElementsAre("0.0.0.0/0"));
  // D12: one in another table is none in the main table.
  EXPECT_THAT(routes(R"([{"dst": "0.0.0.0/0", "table": 100}])"), ElementsAre("0.0.0.0/0", "0.0.0.0/0 via 10.1.0.1"));
  EXPECT_THAT(routes(R"([{"dst": "::/0"}])"), ElementsAre("::/0", "0.0.0.0/0 via 10.1.0.1"));
  EXPECT_THAT(routes(R"([{"dst": "0.0.0.0/1"}])"), ElementsAre("0.0.0.0/1", "0.0.0.0/0 via 10.1.0.1"));
}

TEST(GatewayAddresses, HaveThePrefixOfTheirAddressOnceEach) {
  EXPECT_THAT(gateways_of(completed(config(true), R"({"ips": [{"address": "10.1.0.5/24"}, {"address": "10.1.0.6/24"},
                  {"address": "10.1.0.7/16"}, {"address": "fd01::5/64", "gateway": "fe80::1"}]})")),
              ElementsAre("10.1.0.1/24", "10.1.0.1/16", "fe80::1/64"));
  EXPECT_THAT(gateways_of(completed(config(false), kDual)), IsEmpty());
}

// ---- routes as the kernel gets them

Result<std::vector<net::RouteSpec>> kernel(const std::string& routes, const std::string& gateway = "10.1.0.1") {
  const AddResult result =
      answer(R"({"ips": [{"address": "10.1.0.5/24", "gateway": ")" + gateway + R"("}], "routes": [)" + routes + "]}");
  return kernel_routes(result);
}

net::RouteSpec only(const std::string& route) {
  auto routes = kernel(route);
  EXPECT_OK(routes) << route;
  return routes.ok() && routes.value().size() == 1 ? routes.value()[0] : net::RouteSpec{};
}

TEST(KernelRoutes, GetTheFirstGatewayOfTheirFamily) {
  EXPECT_EQ(only(R"({"dst": "10.0.0.0/8"})").gateway, IpAddr::parse("10.1.0.1"));
  EXPECT_EQ(only(R"({"dst": "10.0.0.0/8", "gw": "10.1.0.7"})").gateway, IpAddr::parse("10.1.0.7"));
  EXPECT_EQ(only(R"({"dst": "fd00::/8"})").gateway, std::nullopt);
}

// D13: the reference forces the gateway onto a route that is meant as on-link.
TEST(KernelRoutes, OnLinkScopeNeedsNoGateway) {
  PARITY("T44");
  EXPECT_EQ(only(R"({"dst": "10.0.0.0/8", "scope": 253})").gateway, std::nullopt);
  EXPECT_EQ(only(R"({"dst": "10.0.0.0/8", "scope": 253})").scope, 253);
  EXPECT_EQ(only(R"({"dst": "10.0.0.0/8", "scope": 0})").gateway, IpAddr::parse("10.1.0.1"));
}

TEST(KernelRoutes, CarryEveryAttribute) {
  PARITY("T44");
  const net::RouteSpec route =
      only(R"({"dst": "10.0.0.0/8", "mtu": 1400, "advmss": 1360, "priority": 77, "table": 4294967295, "scope": 200})");
  EXPECT_EQ(route.dst.to_string(), "10.0.0.0/8");
  EXPECT_EQ(route.mtu, 1400U);
  EXPECT_EQ(route.advmss, 1360U);
  EXPECT_EQ(route.priority, 77U);
  EXPECT_EQ(route.table, 4294967295U);
  EXPECT_EQ(route.scope, 200);
}

TEST(KernelRoutes, ZeroMeansUnset) {
  const net::RouteSpec route = only(R"({"dst": "10.0.0.0/8", "mtu": 0, "advmss": 0, "priority": 0, "table": 0})");
  EXPECT_FALSE(route.mtu || route.advmss || route.priority || route.table || route.scope);
}

TEST(KernelRoutes, NumbersTheKernelCannotHoldAreErrors) {
  for (const char* member : {"mtu", "advmss", "priority", "table"}) {
    for (const char* value : {"-1", "4294967296"}) {
      EXPECT_ERROR(kernel(R"({"dst": "10.0.0.0/8", ")" + std::string(member) + "\": " + value + "}"), Code::kDelegate,
                   "10.0.0.0/8", member, value);
    }
  }
  EXPECT_ERROR(kernel(R"({"dst": "10.0.0.0/8", "scope": 256})"), Code::kDelegate, "scope", "256");
  EXPECT_ERROR(kernel(R"({"dst": "10.0.0.0/8", "scope": -1})"), Code::kDelegate, "scope", "-1");
}

// ---- what an IPAM plugin may say

TEST(IpamResult, AddressesThatNoInterfaceCanHaveAreErrors) {
  FAULT("D14 unusable address");
  for (const char* address :
       {"::/0", "::/64", "::/128", "::2/0", "0.0.0.2/0", "0.0.0.0/24", "0.0.0.0/32", "224.0.0.5/24", "239.1.1.1/8",
        "ff02::1/64", "127.0.0.5/8", "::1/128", "255.255.255.255/32", "10.1.0.255/24", "10.1.255.255/16"}) {
    const bool v6 = std::string(address).find(':') != std::string::npos;
    const std::string text = R"({"ips": [{"address": ")" + std::string(address) + R"(", "gateway": ")" +
                             (v6 ? "fd00::9" : "10.9.9.9") + R"("}]})";
    EXPECT_ERROR(complete_ipam_result(config(false), answer(text)), Code::kDelegate, address) << address;
  }
  for (const char* gateway : {"0.0.0.0", "224.0.0.1", "127.0.0.1", "255.255.255.255", "10.1.0.255"}) {
    const std::string text = R"({"ips": [{"address": "10.1.0.5/24", "gateway": ")" + std::string(gateway) + R"("}]})";
    EXPECT_ERROR(complete_ipam_result(config(true), answer(text)), Code::kDelegate, "gateway", gateway);
  }
}

TEST(IpamResult, UnusualAddressesThatWorkAreFine) {
  for (const char* address : {"10.1.0.255/32", "10.1.0.255/31", "10.1.0.0/31", "10.1.0.255/16", "fd01::/64",
                              "fd01::5/1", "fd01::ffff:ffff:ffff:ffff/64", "169.254.7.7/16"}) {
    EXPECT_OK(
        complete_ipam_result(config(false), answer(R"({"ips": [{"address": ")" + std::string(address) + R"("}]})")))
        << address;
  }
}

TEST(IpamResult, AnAddressTwiceIsAnError) {
  FAULT("D14 unusable address");
  EXPECT_ERROR(complete_ipam_result(config(false),
                                    answer(R"({"ips": [{"address": "10.1.0.5/24"}, {"address": "10.1.0.5/16"}]})")),
               Code::kDelegate, "10.1.0.5/16 twice");
}

// ---- routes that say the same, or the contrary

/// The routes of a dual-stack pod in net 10.1.0.0/24 and fd01::/64, as the kernel gets them.
Result<std::vector<net::RouteSpec>> routes_for(const std::string& routes) {
  return kernel_routes(completed(
      config(true), R"({"ips": [{"address": "10.1.0.5/24"}, {"address": "fd01::5/64"}], "routes": )" + routes + "}"));
}

std::vector<std::string> texts_for(const std::string& routes) {
  const auto all = routes_for(routes);
  EXPECT_OK(all);
  std::vector<std::string> out;
  for (const auto& each : all.ok() ? all.value() : std::vector<net::RouteSpec>()) out.push_back(to_string(each));
  return out;
}

TEST(KernelRoutes, OneThatStandsThereTwiceIsThereOnce) {
  FAULT("D14 same route twice");
  for (const char* twice :
       {R"([{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0"}])",
        R"([{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0", "gw": "10.1.0.1"}])",
        R"([{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0", "table": 254, "scope": 0, "priority": 0}])"}) {
    EXPECT_THAT(texts_for(twice), ElementsAre("0.0.0.0/0 via 10.1.0.1")) << twice;
  }
  EXPECT_THAT(texts_for(R"([{"dst": "::/0"}, {"dst": "::/0", "priority": 1024, "scope": 253, "gw": "fd01::1"}])"),
              ElementsAre("::/0 via fd01::1"));
  EXPECT_THAT(
      texts_for(R"([{"dst": "10.2.0.0/16", "scope": 253}, {"dst": "10.2.0.0/16", "scope": 253, "table": 254}])"),
      ElementsAre("10.2.0.0/16 scope 253"));
}

TEST(KernelRoutes, DifferentOnesStay) {
  FAULT("D14 same route twice");
  EXPECT_EQ(texts_for(R"([{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0", "priority": 100}, {"dst": "0.0.0.0/0", "table": 7},
                          {"dst": "10.2.0.0/16"}, {"dst": "10.2.0.0/17"}])")
                .size(),
            5U);
  EXPECT_EQ(texts_for(R"([{"dst": "::/0", "gw": "fd01::1"}, {"dst": "::/0", "gw": "fd01::2"}])").size(), 2U)
      << "several gateways of one route";
}

TEST(KernelRoutes, TheOneThatComesWithAnAddressIsLeftToTheKernel) {
  FAULT("D14 same route twice");
  EXPECT_THAT(texts_for(R"([{"dst": "10.1.0.0/24", "scope": 253}])"), IsEmpty());
  EXPECT_THAT(texts_for(R"([{"dst": "fd01::/64", "scope": 253}])"), IsEmpty());
  EXPECT_THAT(texts_for(R"([{"dst": "10.1.0.0/24"}])"), ElementsAre("10.1.0.0/24 via 10.1.0.1"));
  EXPECT_EQ(
      texts_for(
          R"([{"dst": "10.1.0.0/24", "scope": 253, "table": 7}, {"dst": "10.1.0.0/24", "scope": 253, "mtu": 1400}])")
          .size(),
      2U);
}

TEST(KernelRoutes, ThoseThatExcludeEachOtherAreNamedBoth) {
  FAULT("D14 same route twice");
  EXPECT_ERROR(routes_for(R"([{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0", "gw": "10.1.0.77"}])"), Code::kDelegate,
               "0.0.0.0/0 via 10.1.0.1", "0.0.0.0/0 via 10.1.0.77");
  EXPECT_ERROR(routes_for(R"([{"dst": "10.2.0.0/16", "mtu": 1400}, {"dst": "10.2.0.0/16", "mtu": 1300}])"),
               Code::kDelegate, "mtu 1400", "mtu 1300");
  EXPECT_ERROR(routes_for(R"([{"dst": "fd02::/16", "mtu": 1400}, {"dst": "fd02::/16"}])"), Code::kDelegate,
               "fd02::/16 via fd01::1 mtu 1400");
  EXPECT_ERROR(routes_for(R"([{"dst": "10.2.0.0/16", "scope": 253}, {"dst": "10.2.0.0/16"}])"), Code::kDelegate,
               "scope 253");
}

}  // namespace
}  // namespace cnio::attachment
