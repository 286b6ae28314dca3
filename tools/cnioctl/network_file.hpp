// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"

namespace cnio::cnioctl {

// Whoever reads one reads no more than this.
inline constexpr size_t kMaxNetworkFile = 1 << 20;

// What a configuration of a network, or a list of them, says that two of them may quarrel about.
struct NetworkFile {
  std::string name;                  // of the network
  std::vector<std::string> types;    // of its plugins
  std::vector<std::string> bridges;  // those that plugins of type bridge are for
  std::vector<Cidr> subnets;         // those that host-local gives addresses from

  // Such files are beside those of networks, and nobody takes one for the network of pods.
  [[nodiscard]] bool only_loopback() const;
};

// Only what can be understood of it: what is wrong inside of a plugin's own part is for that plugin to say. Errors:
// code 6 if it is not JSON.
Result<NetworkFile> parse_network_file(std::string_view text);

// The first of what templates leave behind that nobody has filled in: "${NODE_SUBNET}", "{{.PodCIDR}}". Empty: none.
std::string find_placeholder(std::string_view text);

// Do runtimes take a file of this name for a network's?
bool is_network_file_name(std::string_view name);

}  // namespace cnio::cnioctl
