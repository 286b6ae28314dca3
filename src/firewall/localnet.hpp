// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cnio/base/host_lock.hpp"
#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"

// route_localnet: the host sends packets from and to 127.0.0.1 to a pod, and takes its answers. Whoever sets it has to
// keep everybody else from the host's own 127.0.0.1.
namespace cnio::firewall {

// The interface by which the host reaches a pod, if it does not route such packets yet.
struct Localnet {
  std::string interface;
  bool own = false;  // the pod's alone: the host has a route to this one address
};
// Nothing if it routes them already, or has no route to the pod.
Result<std::optional<Localnet>> find_localnet(const IpAddr& pod);
// Does it route them? Also if there is no route to the pod.
Result<bool> routes_localnet(const IpAddr& pod);
Status set_localnet(const std::string& interface, bool on);

// For whoever relies on the setting meanwhile (kShared), or ends it (kAlone); nothing if there is none to be had.
std::optional<HostLock> lock_localnet(LockKind kind);

}  // namespace cnio::firewall
