// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "cnio/firewall/port_map.hpp"
#include "cnio/net/nftables/nftables.hpp"

#include "firewall/port_map_record.hpp"

// The back end with a table of our own: see port_map.hpp for what each function promises, and port_map_table.hpp for
// the table.
namespace cnio::firewall {

inline constexpr std::string_view kPortMapNeeds =
    "port maps need nf_tables with NAT: kernel modules nf_tables, nft_chain_nat, nft_nat, nft_masq and nft_fib_inet";

Status install_nftables_port_map(net::NftConnection& nft, const PortMapSpec& spec, std::vector<std::string>& notes);
// Would a port be refused because another pod has it by this back end? Errors: code 103.
Status refuse_taken_ports(net::NftConnection& nft, const PortMapSpec& spec);
Status check_nftables_port_map(net::NftConnection& nft, const PortMapSpec& spec);
Status rehearse_nftables_port_map();

// What was removed, for the connections that it has made.
Result<PortMapRecord> remove_nftables_port_map(net::NftConnection& nft, const RuleOwner& owner);
Status collect_nftables_port_map(net::NftConnection& nft, const StaleOwners& stale);

}  // namespace cnio::firewall
