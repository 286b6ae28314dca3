// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/sandbox.hpp"

// The container's interface.
namespace cnio::tuning {

// What can be seen to be refused before anything is changed. Error: code 7.
Status check_mtu(const net::LinkChange& wanted, const net::Link& link);

// What does not have these values yet. A MAC address that changes is announced, and the host's entries for `addresses`
// get it, as far as that can be done.
Status change_interface(const std::shared_ptr<net::Sandbox>& sandbox, const net::Link& link,
                        const net::LinkChange& wanted, const std::vector<IpAddr>& addresses, Rollback& undo);

// For DEL: whatever is refused, the rest is put back. A link that is gone is success.
Status put_back_interface(net::Sandbox& sandbox, const std::string& ifname, const net::LinkChange& before,
                          const std::vector<IpAddr>& addresses);

// Error: code 104, naming what is different.
Status check_interface(const net::Link& link, const net::LinkChange& wanted);

}  // namespace cnio::tuning
