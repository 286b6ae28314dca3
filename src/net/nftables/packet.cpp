// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "net/nftables/packet.hpp"

#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <cstring>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>
#include <netinet/in.h>

namespace cnio::net::nft {
namespace {

constexpr uint32_t kNewConnection = NF_CT_STATE_BIT(IP_CT_NEW);

template <class Number>
PartlyKnown known_number(Number number) {
  PartlyKnown out;
  std::memcpy(out.data.data(), &number, sizeof number);
  out.known.fill(0xFF);
  return out;
}

template <class Number>
Value number_value(Number number) {
  return {{known_number(number)}, sizeof number, {}, {}, 0};
}

Value name_value(const std::string& name) {
  Value value;
  value.size = Bytes().size();
  if (name.empty()) return value;
  PartlyKnown known;
  known.known.fill(0xFF);
  std::copy_n(name.begin(), std::min(name.size(), known.data.size() - 1), known.data.begin());
  value.alternatives.push_back(known);
  return value;
}

Value index_value(IfIndex index) {
  if (index == IfIndex::kNone) return {{}, sizeof(int), {}, {}, 0};
  return number_value(static_cast<int>(index));
}

// One of the two protocols, of which no other is asked for here.
Value transport_value() {
  return {{known_number(uint8_t{IPPROTO_TCP}), known_number(uint8_t{IPPROTO_UDP})}, 1, {}, {}, 0};
}

// Bytes of the source address.
Value source_value(const NftPacket& packet, size_t offset, size_t length) {
  Value value;
  value.size = length;
  for (const Cidr& source : packet.sources) {
    // An address in a network, or all of the network.
    const unsigned prefix = source.addr == source.network().addr ? source.prefix : source.addr.bits();
    const Bytes mask = mask_of(prefix);
    PartlyKnown known;
    std::copy_n(source.addr.data() + offset, length, known.data.begin());
    std::copy_n(mask.begin() + static_cast<ptrdiff_t>(offset), length, known.known.begin());
    std::fill(known.known.begin() + static_cast<ptrdiff_t>(length), known.known.end(), 0xFF);
    value.alternatives.push_back(known);
  }
  return value;
}

Value destination_value(const NftPacket& packet, size_t offset, size_t length) {
  Value value;
  value.size = length;
  value.offset = offset;
  value.mask = mask_of(static_cast<unsigned>(length * 8));
  for (const Cidr& source : packet.sources) value.outside.push_back(source.network());
  return value;
}

// Would an address whose bits under `mask` are `bytes` be in the network?
bool lies_within(const Cidr& network, const Value& value, const Bytes& bytes) {
  const Bytes wanted = mask_of(network.prefix);
  for (size_t i = 0; i < network.addr.size(); ++i) {
    const bool compared = i >= value.offset && i < value.offset + value.size;
    const size_t at = i - value.offset;
    const uint8_t mask = compared ? value.mask[at] : 0;
    if ((mask & wanted[i]) != wanted[i]) return false;
    if (compared && ((bytes[at] ^ network.addr.data()[i]) & wanted[i]) != 0) return false;
  }
  return true;
}

Match compare(const PartlyKnown& known, const Bytes& bytes, size_t length) {
  bool complete = true;
  for (size_t i = 0; i < std::min(length, bytes.size()); ++i) {
    if (((known.data[i] ^ bytes[i]) & known.known[i]) != 0) return Match::kNever;
    complete = complete && known.known[i] == 0xFF;
  }
  return complete ? Match::kSurely : Match::kMaybe;
}

template <class Info>
std::optional<Info> info_as(std::string_view bytes) {
  if (bytes.size() < sizeof(Info)) return std::nullopt;
  Info info{};
  std::memcpy(&info, bytes.data(), sizeof info);
  return info;
}

// One of several properties that a match asks for: `there` says whether the packet has it.
Match property(bool there, bool inverted) { return there != inverted ? Match::kSurely : Match::kNever; }

// Revisions 2 and 3 are alike up to here; older ones are no longer used.
Match conntrack_match(uint32_t revision, std::string_view bytes) {
  const auto info = info_as<xt_conntrack_mtinfo2>(bytes);
  if (!info || revision < 2) return Match::kMaybe;
  uint32_t others = info->match_flags;
  Match match = Match::kSurely;
  if ((others & XT_CONNTRACK_STATE) != 0) {
    const bool is_new = (info->state_mask & XT_CONNTRACK_STATE_BIT(IP_CT_NEW)) != 0;
    match = both(match, property(is_new, (info->invert_flags & XT_CONNTRACK_STATE) != 0));
  }
  // Nothing has answered yet, and nothing is translated.
  if ((others & XT_CONNTRACK_STATUS) != 0) {
    match = both(match, property(false, (info->invert_flags & XT_CONNTRACK_STATUS) != 0));
  }
  others &= ~static_cast<uint32_t>(XT_CONNTRACK_STATE | XT_CONNTRACK_STATUS | XT_CONNTRACK_STATE_ALIAS);
  return both(match, others == 0 ? Match::kSurely : Match::kMaybe);
}

}  // namespace

Match both(Match a, Match b) { return std::min(a, b); }

Match negated(Match match) {
  if (match == Match::kMaybe) return match;
  return match == Match::kNever ? Match::kSurely : Match::kNever;
}

void Value::apply(const Bytes& and_mask, const Bytes& xor_mask) {
  for (PartlyKnown& alternative : alternatives) {
    for (size_t i = 0; i < alternative.data.size(); ++i) {
      alternative.data[i] = static_cast<uint8_t>((alternative.data[i] & and_mask[i]) ^ xor_mask[i]);
      alternative.known[i] = static_cast<uint8_t>(alternative.known[i] | ~and_mask[i]);
    }
  }
  for (size_t i = 0; i < mask.size(); ++i) mask[i] &= and_mask[i];
  const Bytes nothing{};
  if (xor_mask != nothing) outside.clear();
}

Match Value::equals(const Bytes& bytes, size_t length) const {
  const bool excluded = std::any_of(outside.begin(), outside.end(), [&](const Cidr& network) {
    return length >= size && lies_within(network, *this, bytes);
  });
  if (excluded) return Match::kNever;
  if (alternatives.empty()) return Match::kMaybe;
  std::optional<Match> out;
  for (const PartlyKnown& alternative : alternatives) {
    const Match match = compare(alternative, bytes, length);
    out = !out || *out == match ? match : Match::kMaybe;
  }
  return *out;
}

std::optional<Bytes> Value::only() const {
  if (alternatives.size() != 1) return std::nullopt;
  const PartlyKnown& known = alternatives.front();
  const bool complete = std::all_of(known.known.begin(), known.known.begin() + static_cast<ptrdiff_t>(size),
                                    [](uint8_t byte) { return byte == 0xFF; });
  return complete ? std::optional(known.data) : std::nullopt;
}

Value meta_of(const NftPacket& packet, uint32_t key) {
  switch (key) {
    case NFT_META_IIFNAME:
      return name_value(packet.input_interface);
    case NFT_META_OIFNAME:
      return name_value(packet.output_interface);
    case NFT_META_IIF:
      return index_value(packet.input_index);
    case NFT_META_OIF:
      return index_value(packet.output_index);
    case NFT_META_NFPROTO:
      return number_value(protocol_of(packet.family));
    case NFT_META_PROTOCOL:
      return number_value(htons(packet.family == Family::kIpv4 ? ETH_P_IP : ETH_P_IPV6));
    case NFT_META_L4PROTO:
      return transport_value();
    default:
      return {};
  }
}

Value tracking_of(uint32_t key) {
  if (key == NFT_CT_STATE) return number_value(kNewConnection);
  if (key == NFT_CT_DIRECTION) return number_value(uint8_t{0});
  if (key != NFT_CT_STATUS) return {};
  // Translations that were decided to be none are marked as done.
  Value value = number_value(uint32_t{0});
  const uint32_t unknown =
      ~static_cast<uint32_t>(IPS_EXPECTED | IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED | IPS_SRC_NAT | IPS_DST_NAT);
  const uint32_t known = ~unknown;
  std::memcpy(value.alternatives.front().known.data(), &known, sizeof known);
  return value;
}

Value header_of(const NftPacket& packet, HeaderField field) {
  const auto within = [&](HeaderField whole) {
    return field.offset >= whole.offset && field.offset + field.length <= whole.offset + whole.length;
  };
  const HeaderField source = source_field(packet.family);
  const HeaderField destination = destination_field(packet.family);
  const HeaderField protocol = packet.family == Family::kIpv4 ? HeaderField{9, 1} : HeaderField{6, 1};
  if (field.length == 0 || field.length > Bytes().size()) return {};
  if (within(source)) return source_value(packet, field.offset - source.offset, field.length);
  if (within(destination)) return destination_value(packet, field.offset - destination.offset, field.length);
  if (within(protocol)) return transport_value();
  return {};
}

Match match_of(std::string_view name, uint32_t revision, std::string_view info) {
  if (name == "comment") return Match::kSurely;
  if (name == "conntrack") return conntrack_match(revision, info);
  const auto state = name == "state" ? info_as<xt_state_info>(info) : std::nullopt;
  return state ? property((state->statemask & XT_STATE_BIT(IP_CT_NEW)) != 0, false) : Match::kMaybe;
}

}  // namespace cnio::net::nft
