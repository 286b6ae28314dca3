// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/base/error.hpp"
#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

// Does what pods send go on beyond the host?
namespace cnio::attachment {

// Switches it on, for the families of the addresses. `host_prefix`: see may_believe_routers.
Status switch_on_forwarding(net::Netlink& host, const std::vector<Cidr>& addresses, const std::string& host_prefix);
// The same for the interface that pods send to, which may say otherwise for itself: it was made while
// net.ipv4.conf.default.forwarding was 0. (IPv6 goes by the host's setting.)
Status let_forward(const net::Link& gateway, const std::vector<Cidr>& addresses);
// Does the host forward what pods send by this interface, for the families of the addresses? Error: `code`, naming the
// setting.
Status check_forwarding(net::Netlink& host, const net::Link& gateway, const std::vector<Cidr>& addresses, Code code);
// Does no chain of a firewall drop all of it? Of these sources: see firewall::ForwardSpec. Error: `code`, naming the
// chain.
Status check_forward_chains(net::Netlink& host, const net::Link& gateway, const std::vector<Cidr>& sources, Code code);

}  // namespace cnio::attachment
