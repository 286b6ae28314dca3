// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/firewall/port_map.hpp"

#include "firewall/iptables.hpp"

// The back end that runs the iptables program, where the old tables of x_tables are in use, or where it is asked for:
// see port_map.hpp for what each function promises. Two processes for a family: one reads the table, one changes it.
// The chains are the reference's; a pod's begins with a rule that does nothing and says whose it is.
namespace cnio::firewall {

// The programs to be used, one for each family that has one.
using IptablesPrograms = std::vector<std::pair<Family, Iptables>>;
// Those of PATH. Error: code 7.
Result<IptablesPrograms> require_programs(const PortMapSpec& spec, const protocol::Environment& environment);
// Those for the old tables, where they are in use; else none.
Result<IptablesPrograms> legacy_programs(const protocol::Environment& environment);

Status install_port_map_by_program(const IptablesPrograms& programs, const PortMapSpec& spec);
Status remove_port_map_by_program(const IptablesPrograms& programs, const RuleOwner& owner);
Status check_port_map_by_program(const IptablesPrograms& programs, const PortMapSpec& spec);
Status collect_port_map_by_program(const IptablesPrograms& programs, const std::string& network,
                                   const std::vector<protocol::Attachment>& valid);

}  // namespace cnio::firewall
