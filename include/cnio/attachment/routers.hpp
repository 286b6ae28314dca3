// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

// Whose router advertisements the host believes: those of its network, never a pod's (CVE-2020-10749).
namespace cnio::attachment {

// From now on none that come in by this link. A failure is a note on standard error.
void be_deaf_to_routers(std::string_view plugin, const net::Link& link);
// For CHECK, of a link that leads to pods alone. Error: code 104, naming the setting.
Status check_deafness(const net::Link& link);
// Can there be a router behind the link? Not behind a pod's or a virtual machine's, nor a bridge that has only such.
// `host_prefix`: how the names of host ends begin.
Result<bool> may_believe_routers(net::Netlink& host, const net::Link& link, const std::string& host_prefix);

}  // namespace cnio::attachment
