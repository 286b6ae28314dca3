// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/firewall/masquerade.hpp"

#include "firewall/masquerade_reference.hpp"

// Masquerading through the iptables and ip6tables programs, as the reference does.
namespace cnio::firewall {

Status install_iptables_masquerade(const MasqueradeSpec& spec, const protocol::Environment& environment,
                                   Rollback& undo);

// Error: code 104.
Status check_iptables_masquerade(const MasqueradeSpec& spec, const protocol::Environment& environment);

// As remove_masquerade and collect_masquerade_garbage say, for the old tables of x_tables.
Status remove_iptables_legacy_chain(const SharedChain& chain, const protocol::Environment& environment,
                                    MasqueradeRecord& record);
Status collect_iptables_legacy_chains(const std::string& network, const std::vector<protocol::Attachment>& valid,
                                      const protocol::Environment& environment);

}  // namespace cnio::firewall
