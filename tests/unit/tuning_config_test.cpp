// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/host.hpp"
#include "support/matchers.hpp"
#include "tuning/config.hpp"

namespace cnio::tuning {
namespace {

using testing::ElementsAre;

protocol::Request request_of(const std::string& members, const std::string& args = "") {
  const protocol::Environment environment({"CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/none",
                                           "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin", "CNI_ARGS=" + args});
  protocol::Request request = protocol::parse_environment(environment).value();
  const std::string text = R"({"cniVersion": "1.1.0", "name": "n", "type": "tuning")" + members + "}";
  EXPECT_OK(protocol::parse_stdin(request, text));
  return request;
}

Result<Config> parsed(const std::string& members, const std::string& args = "") {
  return parse_config(request_of(members, args));
}

std::vector<std::string> settings(const std::string& members) {
  const auto config = parsed(members);
  EXPECT_OK(config);
  std::vector<std::string> out;
  if (!config.ok()) return out;
  for (const Setting& each : config.value().settings) out.push_back(each.name.paths.front() + "=" + each.value);
  return out;
}

std::string link(const std::string& members) {
  const auto config = parsed(members);
  EXPECT_OK(config);
  return config.ok() ? to_string(config.value().link) : "";
}

TEST(TuningConfig, NothingIsAskedForByDefault) {
  const auto config = parsed("");
  ASSERT_OK(config);
  EXPECT_TRUE(config.value().settings.empty());
  EXPECT_TRUE(config.value().link.empty());
  EXPECT_EQ(data_dir(request_of("")), "/run/cni/tuning");
  EXPECT_EQ(data_dir(request_of(R"(, "dataDir": "x/y")")), "x/y");
  EXPECT_EQ(data_dir(request_of(R"(, "dataDir": 5)")), "/run/cni/tuning");
}

TEST(TuningConfig, SettingsKeepTheirOrder) {
  PARITY("T-U05 T-U11 U1 U4");
  EXPECT_THAT(settings(R"(, "sysctl": {"net.z": "1", "net.a": "2"}, "args": {"cni": {"sysctl": {"net.y": "3"}}})"),
              ElementsAre("z=1", "a=2", "y=3"));
  EXPECT_THAT(settings(R"(, "sysctl": {"net.z": "1", "net.a": "2"}, "args": {"cni": {"sysctl": {"net/z": "3"}}})"),
              ElementsAre("a=2", "z=3"));
}

TEST(TuningConfig, BadSettingsAreNamed) {
  PARITY("T-U06 T-U07 U1 U16");
  EXPECT_ERROR(parsed(R"(, "sysctl": {"net.z": 1})"), Code::kInvalidConfig, "sysctl.net.z", "string");
  EXPECT_ERROR(parsed(R"(, "sysctl": {"net.z": null})"), Code::kInvalidConfig, "sysctl.net.z");
  EXPECT_ERROR(parsed(R"(, "sysctl": {"net.z": "\u0000"})"), Code::kInvalidConfig, "NUL");
  EXPECT_ERROR(parsed(R"(, "sysctl": {"net.z": "1", "net.z": "2"})"), Code::kInvalidConfig, "already");
  EXPECT_ERROR(parsed(R"(, "args": {"cni": {"sysctl": {"kernel.z": "1"}}})"), Code::kInvalidConfig,
               "args.cni.sysctl.kernel.z");
}

TEST(TuningConfig, OfTheInterface) {
  PARITY("T-U12 T-U21 U15");
  EXPECT_EQ(link(R"(, "mac": "02-AA-00-00-00-01", "mtu": 1400, "promisc": true, "allmulti": false, "txQLen": 0)"),
            "MAC address 02:aa:00:00:00:01, mtu 1400, promisc on, allmulti off, txQLen 0");
  EXPECT_EQ(link(R"(, "mac": "", "mtu": 0, "promisc": false, "allmulti": null, "txQLen": null)"), "");
  EXPECT_EQ(link(R"(, "txQLen": 4294967295)"), "txQLen 4294967295");
  for (const char* bad : {R"("mtu": 67)", R"("mtu": -1)", R"("mtu": 2147483648)", R"("mtu": 1400.0)", R"("txQLen": -1)",
                          R"("txQLen": 4294967296)", R"("promisc": "yes")", R"("mac": "02:00:00:00:00:00:00:01")"}) {
    EXPECT_ERROR(parsed(", " + std::string(bad)), Code::kInvalidConfig) << bad;
  }
}

TEST(TuningConfig, PlacesOfTheMacAddress) {
  PARITY("T-U09");
  const std::string low = R"(, "mac": "02:00:00:00:00:04")";
  const std::string runtime = R"(, "runtimeConfig": {"mac": "02:00:00:00:00:02"})";
  const auto of = [](const std::string& members, const std::string& args = "") {
    const auto config = parsed(members, args);
    EXPECT_OK(config);
    return config.ok() && config.value().link.mac ? config.value().link.mac->to_string() : "none";
  };
  EXPECT_EQ(of(low), "02:00:00:00:00:04");
  EXPECT_EQ(of(low, "MAC=02:00:00:00:00:03"), "02:00:00:00:00:03");
  EXPECT_EQ(of(low + runtime, "MAC=02:00:00:00:00:03"), "02:00:00:00:00:02");
  EXPECT_EQ(of(low + runtime + R"(, "args": {"cni": {"mac": "02:00:00:00:00:01"}})"), "02:00:00:00:00:01");
  EXPECT_EQ(of(low + runtime + R"(, "args": {"cni": {"mac": ""}})"), "none");
  EXPECT_EQ(of(low + R"(, "runtimeConfig": {"mac": ""})"), "02:00:00:00:00:04");
  EXPECT_ERROR(parsed("", "MAC=x"), Code::kInvalidEnvironment, "MAC");
  EXPECT_ERROR(parsed("", "FOO=x"), Code::kInvalidEnvironment, "FOO");
  EXPECT_OK(parsed("", "IgnoreUnknown=1;FOO=x"));
}

}  // namespace
}  // namespace cnio::tuning
