// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {

/// As flanneld writes it.
inline std::string subnet_env(const std::string& node = "1", const std::string& masquerades = "true") {
  return "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244." + node +
         ".1/24\nFLANNEL_IPV6_NETWORK=fd01::/48\nFLANNEL_IPV6_SUBNET=fd01:0:0:" + node +
         "::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=" + masquerades + "\n";
}

inline void write_subnet_env(const std::string& text = subnet_env()) {
  std::filesystem::create_directories("/run/flannel");
  write_file("/run/flannel/subnet.env", text);
}

/// A host to which flanneld has given its subnets.
class FlannelTest : public BridgeTest {
 protected:
  FlannelTest() { write_subnet_env(); }

  static constexpr char kSubnetFile[] = "/run/flannel/subnet.env";
  static constexpr char kRecord[] = "/var/lib/cni/flannel/c1";

  static Json config(const std::string& network = "cbr0", const std::string& version = "1.1.0") {
    return {{"cniVersion", version},
            {"name", network},
            {"type", "flannel"},
            {"delegate", {{"hairpinMode", true}, {"isDefaultGateway", true}}}};
  }
  /// What flannel tells its delegate.
  static Json told(const std::string& network = "cbr0") {
    return Json::parse(R"({"cniVersion":"1.1.0","hairpinMode":true,"ipMasq":false,"ipam":{"ranges":[[{"subnet":
      "10.244.1.0/24"}],[{"subnet":"fd01:0:0:1::/64"}]],"routes":[{"dst":"10.244.0.0/16"},{"dst":"fd01::/48"}],
      "type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":")" +
                       network + R"(","type":"bridge"})");
  }

  static std::size_t records() {
    const std::string folder = "/var/lib/cni/flannel";
    if (!std::filesystem::exists(folder)) return 0;
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
  }
  /// Reserved addresses of a network.
  static std::size_t addresses_of(const std::string& network) {
    std::size_t found = 0;
    const std::string folder = "/var/lib/cni/networks/" + network;
    if (!std::filesystem::exists(folder)) return 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("10.") || name.starts_with("fd")) ++found;
    }
    return found;
  }
  static bool is_clean(const std::string& network = "cbr0") {
    return records() == 0 && addresses_of(network) == 0 && names_on_bridge("cni0").empty();
  }
};

}  // namespace cnio::test
