// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The text of ADD's answer in each version of the specification, byte for byte, against golden files. They were taken
// from the reference implementation, but for loopback below 1.0.0, where it prints the shape of another version. To
// take them anew, name the folder in CNIO_WRITE_GOLDEN and point CNIO_PLUGIN_DIR at the reference.
#include <cstdlib>
#include <regex>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

/// Addresses and names that differ from run to run. The all-zero address of lo is no such.
std::string normalise(std::string text) {
  text = std::regex_replace(text, std::regex("veth[0-9a-f]{8}"), "vethXXXXXXXX");
  return std::regex_replace(text, std::regex("(?!00:00:00:00:00:00)([0-9a-f]{2}:){5}[0-9a-f]{2}"), "MAC");
}

::testing::AssertionResult matches_golden(const std::string& text, const std::string& name) {
  if (const char* folder = std::getenv("CNIO_WRITE_GOLDEN"); folder != nullptr) {
    write_file(std::string(folder) + "/" + name, normalise(text));
    return ::testing::AssertionFailure() << "wrote " << name << "; nothing was compared";
  }
  const std::string expected = read_file(test_data_dir() + "/golden/" + name);
  if (normalise(text) == expected) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << name << " expects:\n" << expected << "\nbut got:\n" << normalise(text);
}

class Results : public BridgeTest, public ::testing::WithParamInterface<std::string> {
 protected:
  std::string golden(const std::string& kind) const { return kind + "-" + GetParam() + ".json"; }
  bool has_interfaces() const { return GetParam() >= "0.3.0"; }

  FakeIpam fake_;
};

INSTANTIATE_TEST_SUITE_P(EachVersion, Results, ::testing::ValuesIn(kAllVersions),
                         [](const auto& test) { return "v" + identifier(test.param); });

TEST_P(Results, DualStackBridge) {
  PARITY("T20 T22");
  const Outcome outcome = add(dual_stack_config(GetParam()), pod());
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_TRUE(matches_golden(outcome.out, golden("bridge-dual-stack")));
}

TEST_P(Results, BridgeWithDnsAndStaticRoutes) {
  PARITY("T20 T22");
  Json config = bridge_config({"10.1.0.0/24"}, GetParam());
  config["dns"] = Json::parse(R"({"nameservers": ["10.1.0.53"], "domain": "d.example", "search": ["a.example"],
                                  "options": ["ndots:2"]})");
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "10.50.0.0/16", "gw": "10.1.0.9"}, {"dst": "10.60.0.0/16"}])");
  const Outcome outcome = add(config, pod());
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_TRUE(matches_golden(outcome.out, golden("bridge-dns-routes")));
}

TEST_P(Results, Layer2Bridge) {
  PARITY("T20 T22 D6");
  const Outcome outcome = add(layer2_config(GetParam()), pod());
  if (!has_interfaces()) {
    EXPECT_TRUE(failed(outcome, code::kUnsupported, {GetParam()})) << "that version has no result without an address";
    return;
  }
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_TRUE(matches_golden(outcome.out, golden("bridge-layer2")));
}

TEST_P(Results, HostLocalWithAllRouteAttributes) {
  PARITY("T21 T22");
  Json config = host_local_config({"10.1.0.0/24", "fd01::/64"}, GetParam());
  config["ipam"]["routes"] = Json::parse(
      R"([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}, {"dst": "10.50.0.0/16", "gw": "10.1.0.1", "mtu": 1400,
           "advmss": 1360, "priority": 77, "table": 100, "scope": 0}])");
  const Outcome outcome = add(config, {"c1", "/run/netns/c1", "eth0", ""});
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_TRUE(matches_golden(outcome.out, golden("host-local-routes")));
}

TEST_P(Results, HostLocalWithDns) {
  PARITY("T22 T86");
  Json config = host_local_config({"10.1.0.0/24"}, GetParam());
  config["ipam"]["resolvConf"] = make_folder("etc") + "/resolv.conf";
  write_file("/run/test/etc/resolv.conf", "nameserver 10.0.0.53\ndomain d.example\nsearch a.example b.example\n");
  const Outcome outcome = add(config, {"c1", "/run/netns/c1", "eth0", ""});
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_TRUE(matches_golden(outcome.out, golden("host-local-dns")));
}

TEST_P(Results, StaticWithAllKeys) {
  PARITY("T-F01");
  Json config = static_config({"10.1.0.5/24", "fd01::5/64"}, GetParam());
  config["ipam"]["addresses"][1]["gateway"] = "fe80::1";
  config["ipam"]["dns"] = {{"nameservers", {"10.0.0.53"}}, {"domain", "d.example"}, {"search", {"a.example"}}};
  config["ipam"]["routes"] = Json::parse(
      R"([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}, {"dst": "10.50.0.0/16", "gw": "10.1.0.1", "mtu": 1400,
           "advmss": 1360, "priority": 77, "table": 100, "scope": 0}])");
  const Outcome outcome = add(config, {"c1", "/run/netns/c1", "eth0", ""});
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_TRUE(matches_golden(outcome.out, golden("static")));
}

TEST_P(Results, Loopback) {
  PARITY("T87 D5");
  const Outcome outcome = add(loopback_config(GetParam()), pod());
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_TRUE(matches_golden(outcome.out, golden("loopback")));
}

TEST_P(Results, FourAddressesOfIpam) {
  PARITY("T23");
  fake_.answer("ADD", Json::parse(R"({"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"},
    {"address": "10.2.0.2/24"}, {"address": "fd01::2/64"}, {"address": "fd02::2/64"}]})"));
  const Outcome outcome = run(with_fake(fake_, "ADD", fake_config(GetParam()), pod()));
  EXPECT_TRUE(succeeded(outcome));
  EXPECT_TRUE(matches_golden(outcome.out, golden("bridge-four-addresses")));
}

TEST_F(BridgeTest, RoutesOfAFamilyWithoutAddressVanishInOldVersions) {
  PARITY("T24");
  Json config = host_local_config({"10.1.0.0/24"}, "0.2.0");
  config["ipam"]["routes"] = Json::parse(R"([{"dst": "10.9.0.0/16", "gw": "10.1.0.1"}, {"dst": "fd09::/64"}])");
  const Json result = must_add(config, {"c1", "/run/netns/c1", "eth0", ""});
  EXPECT_EQ(result.at("ip4").at("routes"), Json::parse(R"([{"dst": "10.9.0.0/16", "gw": "10.1.0.1"}])"));
  EXPECT_EQ(result.dump().find("fd09"), std::string::npos);
}

TEST_F(BridgeTest, ResultWithoutVersionSays010) {
  PARITY("T20");
  Json config = bridge_config();
  config.erase("cniVersion");
  EXPECT_EQ(must_add(config, pod()).at("cniVersion"), "0.1.0");
}

TEST_F(BridgeTest, AnswersOfIpamAreUnderstoodInEveryShape) {
  PARITY("T88");
  const char* answers[] = {
      R"({"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.2/24", "gateway": "10.1.0.1", "routes": [{"dst": "10.9.0.0/16"}]}})",
      R"({"ip4": {"ip": "10.1.0.2/24"}, "cniVersion": "0.1.0"})",
      R"({"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.1.0.2/24"}]})",
      R"({"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.2/24"}]})",
      R"({"ips": [{"address": "10.1.0.2/24"}]})",
  };
  int number = 0;
  for (const char* answer : answers) {
    FakeIpam fake;
    fake.answer("ADD", Json::parse(answer));
    const Outcome outcome = run(with_fake(fake, "ADD", fake_config(), pod("c" + std::to_string(++number))));
    ASSERT_TRUE(succeeded(outcome)) << answer;
    EXPECT_EQ(Json::parse(outcome.out).at("ips")[0].at("address"), "10.1.0.2/24");
  }
}

}  // namespace
}  // namespace cnio::test
