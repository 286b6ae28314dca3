// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/net/address.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/route.hpp"

namespace cnio::cnioctl {

// What an ADD can see of a node's network: its links with their addresses and routes, and whether it forwards. Not the
// cables of pods, nor rules of the packet filter or of routing.
struct NodeImage {
  struct OneLink {
    net::Link link;
    std::vector<net::Address> addresses;
    std::vector<net::KernelRoute> routes;
  };
  std::vector<OneLink> links;
  std::vector<std::pair<std::string, std::string>> settings;  // below /proc/sys/net
};

// Of the calling thread's namespace.
Result<NodeImage> take_image(net::Netlink& route);

// Makes the same in the calling thread's namespace, which is a new one: bridges as bridges, all else as one end of a
// cable, whose other end is `elsewhere`. Returns what could not be made, for people.
Result<std::vector<std::string>> put_image(const NodeImage& image, net::Netlink& route,
                                           const net::Namespace& elsewhere);

}  // namespace cnio::cnioctl
