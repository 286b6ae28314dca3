// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cnioctl/occupants.hpp"
#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// What the kubelet runs on a node if nobody says otherwise (maxPods).
inline constexpr uint64_t kKubeletPods = 110;

struct SubnetOptions {
  std::string file;
  uint64_t pods = kKubeletPods;  // for how many a subnet has to have room
  std::string uplink = {};       // of the node, to others; empty: that of the default route
  std::string overlay = "none";  // vxlan, wireguard: what takes room of each packet
  bool json = false;

  // check
  bool here = false;             // would this node carry it?
  std::string bridge = "cnio0";  // the pods' own

  // write
  std::vector<std::string> cluster = {};
  std::vector<std::string> subnets = {};
  std::string node_file = {};  // a Kubernetes Node object, in place of `subnets`
  std::string node_name = {};  // that it has to be of
  std::string mtu = "auto";
  bool ip_masq = false;
  std::string network = {};   // the one that gives the subnets' addresses; empty: not known
  std::string replaces = {};  // the network's file, which is to be written anew
  StorePlaces stores = {"/var/lib/cni/networks", "/var/lib/cni"};
  bool force = false;    // also under pods
  bool dry_run = false;  // only says what would be wrong
};

// What it says: "cluster 10.240.0.0/16", "subnet 10.240.1.0/24", "mtu 1500", "ipmasq false", a line each; or as JSON.
Outcome subnet_show(const SubnetOptions& options);
// Is it whole and right, and with `here` could this node's pods live by it? Kinds: invalid, and those of look_at_node.
Outcome subnet_check(const SubnetOptions& options);
// Writes it, as a whole or not at all; what it says already stays untouched. Refused while containers have addresses
// that would not be the node's any more, or that another network would give again.
Outcome subnet_write(const SubnetOptions& options);

}  // namespace cnio::cnioctl
