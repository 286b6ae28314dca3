// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/sandbox.hpp"

#include <linux/netlink.h>

namespace cnio::net {

Result<Sandbox> Sandbox::enter(Namespace netns) {
  std::optional<Netlink> route;
  CNIO_TRY(netns.run([&]() -> Status {
    CNIO_LET(route, Netlink::open(NETLINK_ROUTE));
    return {};
  }));
  return Sandbox(std::move(netns), *std::move(route));
}

Result<Sandbox> Sandbox::open(const std::string& path) {
  CNIO_LET(Namespace netns, Namespace::open(path));
  return enter(std::move(netns));
}

Result<std::optional<Sandbox>> Sandbox::find(const std::string& path) {
  if (path.empty()) return std::optional<Sandbox>();
  CNIO_LET(std::optional<Namespace> netns, Namespace::find(path));
  if (!netns) return std::optional<Sandbox>();
  CNIO_LET(Sandbox sandbox, enter(*std::move(netns)));
  return std::optional(std::move(sandbox));
}

}  // namespace cnio::net
