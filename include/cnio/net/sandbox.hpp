// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/netns.hpp"

namespace cnio::net {

// The number by which links in the socket's namespace name another one (Link::peer_namespace); nothing if none has an
// end there.
Result<std::optional<int>> find_number(Netlink& route, const Namespace& other);

// The network namespace that CNI_NETNS names, with a netlink socket that acts in it. Links, addresses and routes of the
// sandbox are reached through the socket alone; only sysctls need `run`.
class Sandbox {
 public:
  // Error: code 4 if there is no such namespace.
  static Result<Sandbox> open(const std::string& path);
  // For DEL: nothing if the path is empty, does not exist, or is no network namespace any more.
  static Result<std::optional<Sandbox>> find(const std::string& path);

  [[nodiscard]] Netlink& route() { return route_; }
  [[nodiscard]] const Namespace& netns() const { return netns_; }
  // The host's: where the process was when the sandbox was opened.
  [[nodiscard]] const Namespace& home() const { return home_; }
  // The veth on the host whose other end is `link` of this sandbox; nothing if it is no veth or its other end
  // elsewhere.
  [[nodiscard]] Result<std::optional<Link>> find_host_end(Netlink& host, const Link& link) const;
  // Is the other end of this veth on the host in here?
  [[nodiscard]] Result<bool> holds_peer_of(Netlink& host, const Link& host_end) const;
  // A socket that hears groups of the sandbox's notifications: a Listen.
  [[nodiscard]] Result<Netlink> listen(const std::vector<int>& groups) const;
  // Runs `work` inside the sandbox's namespace, and comes back to the host's.
  [[nodiscard]] Status run(const std::function<Status()>& work) const { return netns_.run(work, home_); }

 private:
  Sandbox(Namespace netns, Namespace home, Netlink route)
      : netns_(std::move(netns)), home_(std::move(home)), route_(std::move(route)) {}
  static Result<Sandbox> enter(Namespace netns);

  Namespace netns_;
  Namespace home_;
  Netlink route_;
};

}  // namespace cnio::net
