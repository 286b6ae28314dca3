// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ptp/config.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::ptp {
namespace {

// Parses a configuration that has these members besides the required ones.
Result<attachment::Network> parsed(const std::string& members, Validation validation = Validation::kFull,
                                   const std::string& cni_args = "") {
  const protocol::Environment environment({"CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/none",
                                           "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin", "CNI_ARGS=" + cni_args});
  CNIO_LET(protocol::Request request, protocol::parse_environment(environment));
  CNIO_TRY(protocol::parse_stdin(request, R"({"cniVersion": "1.1.0", "name": "n", "type": "ptp", )" + members + "}"));
  return parse_config(request, validation);
}

attachment::Network good(const std::string& members) {
  auto network = parsed(members);
  EXPECT_OK(network) << members;
  return network.ok() ? std::move(network).value() : attachment::Network{};
}

constexpr char kIpam[] = R"("ipam": {"type": "host-local"})";

TEST(PtpConfig, Defaults) {
  const attachment::Network network = good(kIpam);
  EXPECT_EQ(network.plugin, "ptp");
  EXPECT_EQ(network.mtu, 0U);
  EXPECT_FALSE(network.ip_masq || network.ports || network.layer2() || network.detect_duplicates);
  EXPECT_EQ(network.host_prefix, "veth");
  EXPECT_EQ(network.bridge, "");
  EXPECT_FALSE(network.mac || network.dns);
}

TEST(PtpConfig, EveryKey) {
  const attachment::Network network =
      good(R"("mtu": 1400, "ipMasq": true, "ipMasqBackend": "iptables", "ipMasqExclude": ["10.0.0.0/8"],
           "ipMasqOnly": ["0.0.0.0/0"], "hostIfPrefix": "pod", "dns": {"domain": "d"}, )" +
           std::string(kIpam));
  EXPECT_EQ(network.mtu, 1400U);
  EXPECT_TRUE(network.ip_masq);
  EXPECT_EQ(network.ip_masq_backend, "iptables");
  EXPECT_EQ(network.ip_masq_exclude.size(), 1U);
  EXPECT_EQ(network.ip_masq_only->size(), 1U);
  EXPECT_EQ(network.host_prefix, "pod");
  EXPECT_EQ(network.dns->domain, "d");
  EXPECT_EQ(network.ipam_type, "host-local");
}

// They belong to bridge.
TEST(PtpConfig, ThereIsNoMacAddressToChoose) {
  const std::string members = R"("runtimeConfig": {"mac": "zz"}, "args": {"cni": {"mac": 7}}, "mac": "zz", )";
  EXPECT_FALSE(good(members + kIpam).mac);
  EXPECT_OK(parsed(kIpam, Validation::kFull, "FOO=1;MAC=zz")) << "CNI_ARGS are not looked at";
}

TEST(PtpConfig, FaultsNameTheirKey) {
  PARITY("T-M06 T-M09 T-M21");
  const std::string end = std::string(", ") + kIpam;
  for (const auto& [members, key] : {
           std::pair(std::string(R"("mtu": 67)") + end, "mtu"),
           std::pair(std::string(R"("mtu": 65536)") + end, "mtu"),
           std::pair(std::string(R"("mtu": "auto")") + end, "mtu"),
           std::pair(std::string(R"("ipMasq": 1)") + end, "ipMasq"),
           std::pair(std::string(R"("ipMasq": true, "ipMasqBackend": "ebtables")") + end, "ipMasqBackend"),
           std::pair(std::string(R"("hostIfPrefix": "much-too-long")") + end, "hostIfPrefix"),
           std::pair(std::string(R"("dns": [])") + end, "dns"),
           std::pair(std::string(R"("ipam": {})"), "ipam.type"),
           std::pair(std::string(R"("ipam": {"type": 7})"), "ipam.type"),
           std::pair(std::string(R"("mtu": 1400)"), "ipam.type"),
       }) {
    EXPECT_ERROR(parsed(members), Code::kInvalidConfig, "\"" + std::string(key) + "\"");
    EXPECT_OK(parsed(members, Validation::kTypes)) << "DEL takes everything: " << members;
  }
  EXPECT_OK(parsed(R"("ipMasqBackend": "ebtables")" + end)) << "it is looked at where it is used";
}

}  // namespace
}  // namespace cnio::ptp
