// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cnio/base/result.hpp"
#include "cnio/ipam/subnet_file.hpp"
#include "cnio/protocol/request.hpp"

#include "flannel/config.hpp"

// What the plugin that makes the interface is told.
namespace cnio::flannel {

struct Delegation {
  std::string type;
  std::string config;  // as text
};

// Byte for byte what the reference makes of the same, but for what that does not pass on: `args` and `dns`, and, if the
// delegate masquerades, `ipMasqExclude`, without which pods of other nodes would see this node in the place of its
// pods. Errors: code 7, naming the key.
Result<Delegation> delegate_to(const protocol::Request& request, const Config& config,
                               const ipam::NodeSubnets& subnets);

// For DEL and GC when no record says what ADD has told: as much of it as can be known.
Delegation guess_delegation(const protocol::Request& request, const Config& config,
                            const std::optional<ipam::NodeSubnets>& subnets);

// One that has been recorded; nothing if the text names no network and no plugin, or flannel, which would read the same
// record again.
std::optional<Delegation> parse_delegation(std::string config);

// Do the addresses come out of a store that no other network looks into?
bool has_own_store(const Config& config);

}  // namespace cnio::flannel
