// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/firewall/port_map.hpp"
#include "cnio/net/nftables/nftables.hpp"

// The back end with the reference's chains, as iptables shows them, written by netlink: see port_map.hpp for what each
// function promises. The chains of a pod say whose they are in a comment that nft prints and iptables does not; those
// that the reference has made have none, and are found by the reference's names.
namespace cnio::firewall {

Status install_visible_port_map(net::NftConnection& nft, const PortMapSpec& spec);
// Would a port be refused because another pod has it by these chains? Errors: code 103.
Status refuse_visible_ports(net::NftConnection& nft, const PortMapSpec& spec);
Status remove_visible_port_map(net::NftConnection& nft, const RuleOwner& owner);
Status check_visible_port_map(net::NftConnection& nft, const PortMapSpec& spec);
Status collect_visible_port_map(net::NftConnection& nft, const std::string& network,
                                const std::vector<protocol::Attachment>& valid);
Status rehearse_visible_port_map();

}  // namespace cnio::firewall
