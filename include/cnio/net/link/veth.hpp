// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/caretaker.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::net {

struct VethSpec {
  std::string host_name;
  IfIndex master = IfIndex::kNone;  // the bridge that the host end joins
  uint32_t mtu = 0;                 // of both ends; 0: the kernel's choice
  std::string sandbox_name;
  int sandbox_fd = -1;  // borrowed; -1: the other end stays in the socket's namespace, too
  // Nothing: the kernel's choice, which udev may replace by its own. One that is given at creation it leaves alone
  // (NET_ADDR_SET; systemd.link(5), MACAddressPolicy). See MacAddr::random_high.
  std::optional<MacAddr> host_mac{};
  std::optional<MacAddr> sandbox_mac;
};
// Creates a veth pair in one message: the host end in the socket's namespace and in its bridge, the other in the
// sandbox, both down. Nothing exists if it fails; errno EEXIST if one of the names is taken, EXFULL if the bridge has
// all the ports that it can have.
//
// The host end should be set up after the other: then its carrier is there from the start. An interface that is up and
// has none makes the kernel say so to all that listens, which with a thousand ports takes more than a millisecond, and
// wait for a grace period before, both while it keeps everybody else from its links (linkwatch_do_dev).
Status create_veth(Netlink& route, const VethSpec& spec);

// Removes a veth pair whose one end is `sandbox_end`, and returns as soon as both ends are gone: nothing can use their
// names, addresses or places in a bridge any more. The kernel says so after less than a millisecond, and acknowledges
// after a grace period of about 20, in which it waits for processors that may still look at what it is about to free;
// a Caretaker waits for that. It also keeps `slow`, sockets whose closing would wait for such a period, too; until
// after the last of the `crowd`, if there is one. Should we die meanwhile, it removes the link of this index, which the
// sandbox does not give to another one.
//
// Why that is safe: the kernel closes both ends, takes them out of its lists and notifies of the end that it was asked
// for, then of the other, all under its one lock for links (RTNL). So `host_end`'s notification is the last, and
// whatever anybody asks of links after it finds neither end. What the acknowledgement waits for, outside that lock,
// cannot fail and has no effect but memory that becomes free. If the kernel refuses, or is not heard, the removal is
// done again, to its acknowledgement. REQUIRES: `sandbox` is not used afterwards. A pair that is gone already is
// success.
Status remove_pair(Netlink& host, const Link& host_end, Netlink& sandbox, const Link& sandbox_end,
                   const std::vector<int>& slow = {}, const Crowd* crowd = nullptr);

}  // namespace cnio::net
