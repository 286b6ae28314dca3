// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cnio::test {

/// Sends a router advertisement (RFC 4861, section 4.2) to all nodes on the link: the sender is a default router for
/// `lifetime` seconds (0: it is none), and with a prefix ("2001:db8:7::", 64 bits of it) for as long as possible
/// addresses can be made from that. Twice, since the second one that arrives shows that the first has been dealt with.
void advertise_router(const std::string& netns, const std::string& interface, int lifetime = 1800,
                      const std::string& prefix = "");

/// As above, and waits until the host has dealt with the first one, whatever it did with it.
void let_hear_router(const std::string& netns, const std::string& interface, const std::string& host_interface,
                     int lifetime = 1800, const std::string& prefix = "");

}  // namespace cnio::test
