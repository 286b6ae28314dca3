// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ptp/routes.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::ptp {
namespace {

using protocol::AddResult;
using ::testing::ElementsAre;

AddResult answer(const std::string& text) {
  auto result = protocol::parse_delegate_result(text, protocol::kLatestVersion, "ipam");
  EXPECT_OK(result) << text;
  return result.ok() ? std::move(result).value() : AddResult{};
}

std::vector<std::string> routes(const std::string& text) {
  const auto specs = sandbox_routes(answer(text));
  EXPECT_OK(specs) << text;
  std::vector<std::string> out;
  for (const net::RouteSpec& spec : specs.ok() ? specs.value() : std::vector<net::RouteSpec>())
    out.push_back(to_string(spec));
  return out;
}

TEST(PtpRoutes, ToTheGatewayThenByItToAllElse) {
  PARITY("T-M03 T-M04 M19");
  EXPECT_THAT(routes(R"({"ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"},
                                 {"address": "fd01::2/64", "gateway": "fd01::1"}],
                         "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]})"),
              ElementsAre("10.1.0.1/32 scope 253 src 10.1.0.2", "fd01::1/128 src fd01::2",
                          "10.1.0.0/24 via 10.1.0.1 src 10.1.0.2", "fd01::/64 via fd01::1 src fd01::2",
                          "0.0.0.0/0 via 10.1.0.1", "::/0 via fd01::1"));
}

TEST(PtpRoutes, ASingleAddressHasNoNetwork) {
  PARITY("T-M11 T-M14 M19");
  EXPECT_THAT(routes(R"({"ips": [{"address": "10.1.0.2/32", "gateway": "169.254.1.1"},
                                 {"address": "fd01::2/128", "gateway": "fe80::1"}]})"),
              ElementsAre("169.254.1.1/32 scope 253 src 10.1.0.2", "fe80::1/128 src fd01::2"));
}

TEST(PtpRoutes, AddressesShareWhatTheyHaveInCommon) {
  PARITY("T-M16 M20");
  EXPECT_THAT(routes(R"({"ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"},
                                 {"address": "10.1.0.3/24", "gateway": "10.1.0.1"}]})"),
              ElementsAre("10.1.0.1/32 scope 253 src 10.1.0.2", "10.1.0.0/24 via 10.1.0.1 src 10.1.0.2"));
}

constexpr char kOne[] = R"({"ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}], "routes": [)";

std::vector<std::string> given(const std::string& list) {
  std::vector<std::string> all = routes(kOne + list + "]}");
  return {all.begin() + (all.empty() ? 0 : 1), all.end()};
}

TEST(PtpRoutes, TheIpamPluginsAreKept) {
  PARITY("T-M18 T-M19");
  EXPECT_THAT(given(R"({"dst": "10.1.0.0/24", "table": 100}, {"dst": "10.1.0.0/24", "priority": 7})"),
              ElementsAre("10.1.0.0/24 via 10.1.0.1 src 10.1.0.2", "10.1.0.0/24 via 10.1.0.1 table 100",
                          "10.1.0.0/24 via 10.1.0.1 metric 7"));
  EXPECT_THAT(given(R"({"dst": "10.1.0.0/24", "mtu": 1300, "advmss": 1200})"),
              ElementsAre("10.1.0.0/24 via 10.1.0.1 mtu 1300 advmss 1200 src 10.1.0.2"));
  EXPECT_THAT(given(R"({"dst": "10.1.0.1/32", "scope": 253})"), ElementsAre("10.1.0.0/24 via 10.1.0.1 src 10.1.0.2"));
}

TEST(PtpRoutes, AnotherGatewayOfTheNetworkIsOnTheLink) {
  EXPECT_THAT(given(R"({"dst": "10.9.0.0/16", "gw": "10.1.0.9"}, {"dst": "10.8.0.0/16", "gw": "10.2.0.9"})"),
              ElementsAre("10.1.0.0/24 via 10.1.0.1 src 10.1.0.2", "10.9.0.0/16 via 10.1.0.9 onlink",
                          "10.8.0.0/16 via 10.2.0.9"));
}

TEST(PtpRoutes, WithoutAGatewayOfTheHostsThereAreNone) {
  PARITY("T-M10 M20");
  for (const char* text :
       {R"({"ips": [{"address": "10.1.0.2/24"}]})", R"({"ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.2"}]})",
        R"({"ips": [{"address": "fd01::2/64", "gateway": "fd01::3"},
                                       {"address": "fd01::3/64", "gateway": "fd01::1"}]})"}) {
    EXPECT_ERROR(sandbox_routes(answer(text)), Code::kDelegate, "gateway");
  }
}

TEST(PtpRoutes, TheHostsEndHasEachGatewayOnce) {
  std::vector<std::string> out;
  for (const Cidr& gateway : gateways_of(answer(R"({"ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"},
      {"address": "10.1.0.3/24", "gateway": "10.1.0.1"}, {"address": "fd01::2/64", "gateway": "fe80::1"}]})")))
    out.push_back(gateway.to_string());
  EXPECT_THAT(out, ElementsAre("10.1.0.1/32", "fe80::1/128"));
}

}  // namespace
}  // namespace cnio::ptp
