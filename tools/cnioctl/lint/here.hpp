// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/net/address.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

#include "cnioctl/lint/seen.hpp"

// What a network's file quarrels about with the node that it is on.
namespace cnio::cnioctl {

// The node's links and addresses, looked at once.
class Ground {
 public:
  // Of the calling thread's network namespace. `report` gains what could not be looked at.
  static Ground look(Report& report);

  // Does the node itself have addresses of a subnet from which pods on a bridge, or behind ptp, would be given theirs,
  // or a route to them by another link? Of those of other plugins it is known that they share the node's own. Kind:
  // overlap.
  void compare(const SeenFile& file, Report& report);

 private:
  [[nodiscard]] bool is_theirs(const NetworkFile& network, net::IfIndex index) const;
  [[nodiscard]] const net::Link* find(net::IfIndex index) const;
  [[nodiscard]] std::string name_of(net::IfIndex index) const;
  bool compare_addresses(const SeenFile& file, const Cidr& subnet, Report& report) const;
  void compare_routes(const SeenFile& file, const Cidr& subnet, Report& report);

  std::optional<net::Netlink> host_;
  std::vector<net::Link> links_;
  std::vector<net::OwnedAddress> addresses_;
};

// Are the plugins that the file names in `folders`, as CNI_PATH has them? Those that ours call are asked for, too. Each
// finding has its line. Kind: no-plugin.
void check_plugins(const SeenFile& file, const std::string& folders, Report& report);

}  // namespace cnio::cnioctl
