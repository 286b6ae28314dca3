// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/firewall/port_map.hpp"
#include "cnio/net/nftables/nftables.hpp"

#include "firewall/localnet.hpp"
#include "firewall/port_map_record.hpp"
#include "firewall/port_map_sources.hpp"

// What an attachment is to have in the table of port maps: worked out before anything is read or changed.
namespace cnio::firewall {

struct PortMapPlan {
  using Rule = std::pair<net::NftProgram, std::string>;  // and its comment
  std::string hash;
  std::string comment;
  PortMapRecord record;
  std::vector<Rule> ports;                                        // of the chain ports-<hash>
  std::set<SourcePrefix> prefixes;                                // that have to have rules
  std::vector<std::pair<std::string, net::NftElement>> elements;  // and the map of each
};
// `localnet`: what is to be set. What is left out is named in `notes`. Errors: code 7 for conditions.
Result<PortMapPlan> plan_port_map(const PortMapSpec& spec, const std::optional<Localnet>& localnet,
                                  std::vector<std::string>& notes);

}  // namespace cnio::firewall
