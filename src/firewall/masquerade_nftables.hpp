// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "cnio/firewall/masquerade.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/net/nftables/nftables.hpp"

// Masquerading in our own table, through netlink.
namespace cnio::firewall {

// The chain's rules, in order; those of addresses that were taken over say so.
std::vector<net::NftRule> masquerade_rules(const MasqueradeSpec& spec, const std::set<IpAddr>& taken_over = {});

// Would installing work? Changes nothing.
Status rehearse_nftables_masquerade(net::NftConnection& nft);

Status install_nftables_masquerade(net::NftConnection& nft, const MasqueradeSpec& spec);

// Removes an attachment's chain and what leads to it, and the table after its last attachment. An address that others
// were made for, too, goes to them. A chain that a rule of somebody else leads to stays, empty.
Status remove_attachment_chain(net::NftConnection& nft, const std::string& chain, MasqueradeRecord& record);

// Error: code 104.
Status check_nftables_masquerade(net::NftConnection& nft, const MasqueradeSpec& spec);

// Chains that stay, empty, are reported.
Status collect_nftables_garbage(net::NftConnection& nft, const StaleOwners& stale);

}  // namespace cnio::firewall
