// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/ipam/subnet_file.hpp"

#include "cnioctl/occupants.hpp"

namespace cnio::cnioctl {

// From what a node's subnets were to what they are to be.
struct SubnetChange {
  std::vector<Cidr> before;  // none: there were none, or they are not known
  ipam::NodeSubnets after;
  std::string network;  // the one that gives the subnets' addresses; empty: not known
};

// Those that would be cut off: their addresses are of a subnet that changes, or in the cluster's range but not in the
// node's new subnet, or the network's own and not in it.
std::vector<Occupant> find_stranded(const SubnetChange& change, const std::vector<Occupant>& occupants);
// Those of other networks whose addresses the network would give again.
std::vector<Occupant> find_shared(const SubnetChange& change, const std::vector<Occupant>& occupants);

}  // namespace cnio::cnioctl
