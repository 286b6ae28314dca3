// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"

// The file that says which subnet is a node's: flanneld's subnet.env, whoever writes it. Lines of KEY=VALUE, nothing of
// which is quoted; those of other keys, comments and empty ones mean nothing, and a line may end with CR LF.
namespace cnio::ipam {

// What flanneld writes, and flannel reads by default.
inline constexpr char kSubnetFile[] = "/run/flannel/subnet.env";
inline constexpr size_t kMaxSubnetFile = size_t{1024} * 1024;

struct NodeSubnets {
  // Of the cluster (FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK) and of the node (FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET), each
  // as it is written, IPv4 first. A family has one subnet and at least one network, or neither.
  std::vector<Cidr> networks;  // no two are the same network
  std::vector<Cidr> subnets;
  uint32_t mtu = 0;      // FLANNEL_MTU: of the pods' interfaces
  bool ip_masq = false;  // FLANNEL_IPMASQ: somebody else masquerades what leaves the cluster

  bool operator==(const NodeSubnets&) const = default;
};

// `shown` names the source in messages, which name the line and the key. Of equal keys the last counts. What is not
// whole is refused: a line of a known key without "=", a last line that breaks off, or a family that has only a network
// or only a subnet. Errors: code 6.
Result<NodeSubnets> parse_subnets(std::string_view text, const std::string& shown);

// Errors: code 5 for what is no regular file, cannot be read, or is larger than kMaxSubnetFile; those of parse_subnets.
Result<NodeSubnets> read_subnets(const std::string& path);

// For whoever writes such a file, and so sees further than who reads it: subnets that lie in a network of the cluster,
// no two networks that overlap, none with addresses that no pod can have, an MTU that links can have, and enough
// addresses in each subnet for `pods`, a gateway, and those that nobody can have. Errors: code 7, naming the key.
Status check_subnets(const NodeSubnets& subnets, uint64_t pods);

// As flanneld writes it: of the node's subnets the first address is named.
std::string format_subnets(const NodeSubnets& subnets);

// Puts the file (0644) at `path`, as a whole or not at all, and durably; its folder is made if there is none. False if
// it is the same already, and stays as it is. Errors: code 5.
Result<bool> write_subnets(const std::string& path, const NodeSubnets& subnets);

}  // namespace cnio::ipam
