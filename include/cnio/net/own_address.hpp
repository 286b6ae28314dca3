// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::net {

// The kernel takes an IPv6 address for its own, and answers for it on the link, some time after it was added: its work
// queue does that, which waits for the lock that every change of a link needs. Without duplicate address detection
// nothing shows that it is not done yet, and whoever asks for the address meanwhile asks again a second later.
//
// Waits until all of them are the link's own; as a rule they are, and nothing is listened to. Error: code 11 naming the
// one that is not after the time, or the link if that has been removed.
Status wait_until_own(Netlink& route, const Link& link, const std::vector<IpAddr>& addresses, int timeout_ms,
                      const Listen& listen);

// The link's own link-local addresses, from which the kernel asks for its neighbours there when it forwards to them.
// Not one that somebody else on the link has, too.
Result<std::vector<IpAddr>> list_link_local_addresses(Netlink& route, const Link& link);

}  // namespace cnio::net
