// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What cnioctl reads that others have written: files of networks, and what an API server answers.
#include "cnioctl/kube_node.hpp"
#include "cnioctl/network_file.hpp"
#include "fuzz/fuzz.hpp"

namespace cnio::fuzz {
namespace {

void fuzz_network(std::string_view text) {
  const auto network = cnioctl::parse_network_file(text);
  if (!network.ok()) return check_error(network.error());
  for (const Cidr& subnet : network.value().subnets) {
    require(subnet == subnet.network(), "a subnet has no host bits", subnet.to_string());
  }
  require(network.value().bridges.size() <= network.value().types.size(), "a bridge is a plugin's");
}

void fuzz_placeholder(std::string_view text) {
  const std::string found = cnioctl::find_placeholder(text);
  require(text.find(found) != std::string_view::npos, "a placeholder is there", found);
  require(found.find('\n') == std::string::npos, "a placeholder is one line", found);
}

void fuzz_node(std::string_view text) {
  const auto subnets = cnioctl::parse_pod_cidrs(text, "node-1");
  if (!subnets.ok()) return check_error(subnets.error());
  require(!subnets.value().empty(), "a node has a subnet, or that is an error");
}

void fuzz_one(std::string_view text) {
  fuzz_network(text);
  fuzz_placeholder(text);
  fuzz_node(text);
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
