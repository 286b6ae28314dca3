// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/subnet_change.hpp"

#include <algorithm>
#include <iterator>

namespace cnio::cnioctl {
namespace {

bool within(const std::vector<Cidr>& networks, const IpAddr& address) {
  return std::any_of(networks.begin(), networks.end(), [&](const Cidr& each) { return each.contains(address); });
}

// Another prefix counts, too: the gateway's address has it.
bool has_subnet(const ipam::NodeSubnets& of, const Cidr& subnet) {
  return std::any_of(of.subnets.begin(), of.subnets.end(),
                     [&](const Cidr& each) { return each.network() == subnet.network(); });
}

bool subnet_changes(const SubnetChange& change, const IpAddr& address) {
  return std::any_of(change.before.begin(), change.before.end(),
                     [&](const Cidr& each) { return each.contains(address) && !has_subnet(change.after, each); });
}

bool is_stranded(const SubnetChange& change, const Occupant& occupant) {
  if (subnet_changes(change, occupant.address)) return true;
  const bool ours = within(change.after.networks, occupant.address) || occupant.network == change.network;
  return ours && !within(change.after.subnets, occupant.address);
}

template <class Wanted>
std::vector<Occupant> select(const std::vector<Occupant>& occupants, const Wanted& wanted) {
  std::vector<Occupant> out;
  std::copy_if(occupants.begin(), occupants.end(), std::back_inserter(out), wanted);
  return out;
}

}  // namespace

std::vector<Occupant> find_stranded(const SubnetChange& change, const std::vector<Occupant>& occupants) {
  return select(occupants, [&](const Occupant& each) { return is_stranded(change, each); });
}

std::vector<Occupant> find_shared(const SubnetChange& change, const std::vector<Occupant>& occupants) {
  return select(occupants, [&](const Occupant& each) {
    return !change.network.empty() && each.network != change.network && within(change.after.subnets, each.address);
  });
}

}  // namespace cnio::cnioctl
