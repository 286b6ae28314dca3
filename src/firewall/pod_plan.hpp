// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/firewall/pod_firewall.hpp"
#include "cnio/net/nftables/nftables.hpp"

// Pods and the firewall by netlink: all tables in one transaction.
namespace cnio::firewall {

// One attempt, for retry_while_changing.
Status install_by_netlink(net::NftConnection& nft, const PodFirewallSpec& spec);

// Who goes.
struct Leaving {
  std::function<bool(std::string_view comment)> chosen;
  std::vector<IpAddr> foreign = {};  // addresses of which the reference's rules go
};
Status remove_by_netlink(net::NftConnection& nft, const Leaving& leaving);

Status check_by_netlink(net::NftConnection& nft, const PodFirewallSpec& spec);

}  // namespace cnio::firewall
