// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/firewall/pod_firewall.hpp"
#include "cnio/net/nftables/nftables.hpp"

// What pods have in the tables of the packet filter: all of nf_tables in one transaction, and what a host keeps in the
// old tables of x_tables by their program.
namespace cnio::firewall {

// One attempt, for retry_while_changing.
Status install_once(net::NftConnection& nft, const PodFirewallSpec& spec, const protocol::Environment& environment);

// Who goes.
struct Leaving {
  std::function<bool(std::string_view comment)> chosen;
  std::vector<IpAddr> foreign = {};  // addresses of which the reference's rules go
};
Status remove_once(net::NftConnection& nft, const Leaving& leaving, const protocol::Environment& environment);

Status check_once(net::NftConnection& nft, const PodFirewallSpec& spec, const protocol::Environment& environment);

}  // namespace cnio::firewall
