// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "firewall/config.hpp"
#include "support/host.hpp"
#include "support/matchers.hpp"

namespace cnio::pod_firewall {
namespace {

using firewall::IngressPolicy;
using firewall::PodBackend;

Result<Config> parse(const std::string& keys, const std::string& version = "1.1.0") {
  const protocol::Environment environment(
      {"CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/x", "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin"});
  auto request = protocol::parse_environment(environment);
  EXPECT_OK(request);
  EXPECT_OK(protocol::parse_stdin(request.value(), R"({"cniVersion": ")" + version +
                                                       R"(", "name": "net", "type": "firewall")" +
                                                       (keys.empty() ? "" : ", ") + keys + "}"));
  return parse_config(request.value());
}

Config good(const std::string& keys) {
  const auto config = parse(keys);
  EXPECT_OK(config);
  return config.ok() ? config.value() : Config();
}

TEST(FirewallConfig, NeedsNoKey) {
  PARITY("T-P58");
  const Config config = good("");
  EXPECT_EQ(config.backend, std::nullopt);
  EXPECT_EQ(config.admin_chain, "CNI-ADMIN");
  EXPECT_EQ(config.zone, "trusted");
  EXPECT_EQ(config.policy, IngressPolicy::kOpen);
}

TEST(FirewallConfig, BackEnds) {
  PARITY("T-P58 P33");
  EXPECT_EQ(good(R"("backend": "iptables")").backend, PodBackend::kIptables);
  EXPECT_EQ(good(R"("backend": "firewalld")").backend, PodBackend::kFirewalld);
  EXPECT_EQ(good(R"("backend": "nftables")").backend, PodBackend::kNftables);
  for (const std::string other : {"foo", "IPTABLES", "nft"}) {
    const Config config = good(R"("backend": ")" + other + "\"");
    EXPECT_EQ(config.backend, std::nullopt) << other;
    EXPECT_EQ(config.ignored_backend, other);
  }
  EXPECT_EQ(good(R"("backend": "")").ignored_backend, "");
  EXPECT_EQ(good(R"("backend": null)").backend, std::nullopt);
}

TEST(FirewallConfig, Policies) {
  PARITY("T-P55 P36");
  EXPECT_EQ(good(R"("ingressPolicy": "")").policy, IngressPolicy::kOpen);
  EXPECT_EQ(good(R"("ingressPolicy": "open")").policy, IngressPolicy::kOpen);
  EXPECT_EQ(good(R"("ingressPolicy": "same-bridge")").policy, IngressPolicy::kSameBridge);
  EXPECT_EQ(good(R"("ingressPolicy": "isolated")").policy, IngressPolicy::kIsolated);
}

TEST(FirewallConfig, FaultsNameTheirKey) {
  PARITY("T-P55 T-P57 P36");
  const std::pair<const char*, const char*> kBad[] = {
      {"ingressPolicy", R"("foo")"},
      {"ingressPolicy", R"("OPEN")"},
      {"ingressPolicy", "1"},
      {"backend", "7"},
      {"firewalldZone", "[]"},
      {"iptablesAdminChainName", "true"},
      {"iptablesAdminChainName", R"("CNI-ADMIN-OF-MORE-THAN-28-CHARS")"},
      {"iptablesAdminChainName", R"("-A")"},
      {"iptablesAdminChainName", R"("A B")"},
      {"iptablesAdminChainName", R"("CNI-FORWARD")"},
      {"iptablesAdminChainName", R"("CNI-ISOLATION-STAGE-1")"},
      {"iptablesAdminChainName", R"("ACCEPT")"}};
  for (const auto& [key, value] : kBad) {
    const auto config = parse("\"" + std::string(key) + "\": " + value);
    ASSERT_FALSE(config.ok()) << key << value;
    EXPECT_EQ(config.error().code(), Code::kInvalidConfig) << key << value;
    EXPECT_NE(config.error().msg().find(key), std::string::npos) << config.error().msg();
  }
}

TEST(FirewallConfig, AnAdministratorsChain) {
  PARITY("T-P57");
  EXPECT_EQ(good(R"("iptablesAdminChainName": "NOMAD-ADMIN")").admin_chain, "NOMAD-ADMIN");
  EXPECT_EQ(good(R"("iptablesAdminChainName": "")").admin_chain, "CNI-ADMIN");
  EXPECT_EQ(good(R"("iptablesAdminChainName": "1234567890123456789012345678")").admin_chain.size(), 28U);
}

TEST(FirewallConfig, OldVersionsAreGood) {
  PARITY("T-P66 P41");
  for (const char* version : {"0.1.0", "0.3.1", "0.4.0", "1.0.0"}) EXPECT_OK(parse("", version));
}

}  // namespace
}  // namespace cnio::pod_firewall
