// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"

// Programs that wait for somebody at a port: sock_diag(7).
namespace cnio::net {

struct Listener {
  IpAddr address;  // 0.0.0.0 or ::, if at all of the host's; then :: may stand for IPv4, too
  uint16_t port = 0;

  // Does it get what goes to this address?
  [[nodiscard]] bool hears(const IpAddr& to) const { return address == to || address.is_unspecified(); }
};
// Those of a protocol (IPPROTO_TCP, IPPROTO_UDP) in the calling thread's network namespace; a family's sockets alone.
// None if the kernel does not tell.
Result<std::vector<Listener>> list_listeners(uint8_t protocol, Family family);

}  // namespace cnio::net
