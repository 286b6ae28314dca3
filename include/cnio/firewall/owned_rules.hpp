// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/firewall/port_map.hpp"
#include "cnio/net/nftables/nftables.hpp"

// All that attachments have in nf_tables, for whoever looks at a node as a whole.
namespace cnio::firewall {

enum class RuleKind : uint8_t { kMasquerade, kSpoofCheck, kPortMap, kPodFirewall };
// "masquerade", "spoof-check", "port-map", "firewall".
std::string_view to_string(RuleKind kind);

// Something that an attachment has: a chain, or elements of a set.
struct OwnedRules {
  RuleKind kind = RuleKind::kMasquerade;
  net::NftTable table;
  std::string object;                   // the chain; of elements, the set
  std::string hash;                     // as owner_hash gives it; empty if it is not told so
  std::string text = {};                // what it says of its owner, for people; may have been cut
  std::optional<RuleOwner> owner = {};  // if it says that, and the hash proves it
  std::vector<PortMapping> ports = {};  // that lead to it (kPortMap)
  std::vector<IpAddr> addresses = {};   // that lead to it (kMasquerade), or are its elements (kPodFirewall)

  [[nodiscard]] bool belongs_to(const RuleOwner& other) const { return !hash.empty() && hash == owner_hash(other); }
};

// In the tables that we make, and of the port maps those in iptables' chains, too. What the reference made says less
// and is left out. Errors: as those of NftConnection.
Result<std::vector<OwnedRules>> list_owned_rules(net::NftConnection& nft);

}  // namespace cnio::firewall
