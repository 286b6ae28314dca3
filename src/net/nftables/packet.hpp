// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/net/nftables/trace.hpp"

#include "net/nftables/message.hpp"

// What a rule's registers hold of a packet that is known in part.
namespace cnio::net::nft {

// Does a rule match? kMaybe: that depends on what is not known.
enum class Match { kNever, kMaybe, kSurely };

Match both(Match a, Match b);
Match negated(Match match);

// Bytes of which some bits are known.
struct PartlyKnown {
  Bytes data{};
  Bytes known{};  // ones where `data` is known
};

// One of several contents, or anything at all if there is none.
struct Value {
  std::vector<PartlyKnown> alternatives;
  size_t size = 0;  // bytes
  // Of the destination address, of which only this is known: it is in none of these networks.
  std::vector<Cidr> outside;
  Bytes mask{};  // what is left of the address, of which the first byte is `offset`
  size_t offset = 0;

  void apply(const Bytes& and_mask, const Bytes& xor_mask);
  // Are the first `length` bytes these?
  [[nodiscard]] Match equals(const Bytes& bytes, size_t length) const;
  // The one content, if it is known in full.
  [[nodiscard]] std::optional<Bytes> only() const;
};

// What the packet shows for NFT_META_*, for NFT_CT_*, and for bytes of its network header.
Value meta_of(const NftPacket& packet, uint32_t key);
Value tracking_of(uint32_t key);
Value header_of(const NftPacket& packet, HeaderField field);

// Does a match of x_tables, as iptables-nft uses them, let the packet pass? `info` is the match's own structure.
Match match_of(std::string_view name, uint32_t revision, std::string_view info);

}  // namespace cnio::net::nft
