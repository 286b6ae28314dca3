// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Rules as the kernel holds them: short programs that load a part of the packet into a register, compare it, and end in
// a verdict. Written as the nft program writes them, so that it can print them in its language.
#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <array>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <netlink/attr.h>

#include "net/nftables/message.hpp"

namespace cnio::net {

bool NftRule::same_effect(const NftRule& other) const {
  const auto family_of_rule = [](const NftRule& rule) -> std::optional<Family> {
    if (rule.source) return rule.source->family();
    if (rule.destination) return rule.destination->family();
    return rule.family;
  };
  const auto network = [](const std::optional<Cidr>& cidr) { return cidr ? std::optional(cidr->network()) : cidr; };
  return family_of_rule(*this) == family_of_rule(other) && network(source) == network(other.source) &&
         network(destination) == network(other.destination) && input_interface == other.input_interface &&
         source_mac == other.source_mac && action == other.action && target == other.target &&
         has_more == other.has_more;
}

namespace nft {

HeaderField source_field(Family family) { return family == Family::kIpv4 ? HeaderField{12, 4} : HeaderField{8, 16}; }

HeaderField destination_field(Family family) {
  return family == Family::kIpv4 ? HeaderField{16, 4} : HeaderField{24, 16};
}

Bytes mask_of(unsigned prefix) {
  Bytes mask{};
  for (unsigned bit = 0; bit < prefix; ++bit) mask[bit / 8] |= static_cast<uint8_t>(0x80U >> bit % 8);
  return mask;
}

namespace {

template <class Fill>
void put_expression(nl_msg* message, const char* name, Fill fill) {
  put_nest(message, NFTA_LIST_ELEM, [&] {
    put_text(message, NFTA_EXPR_NAME, name);
    put_nest(message, NFTA_EXPR_DATA, fill);
  });
}

void put_value(nl_msg* message, int attribute, const void* data, uint32_t length) {
  put_nest(message, attribute, [&] {
    if (nla_put(message, NFTA_DATA_VALUE, static_cast<int>(length), data) < 0) throw std::bad_alloc();
  });
}

void put_equals(nl_msg* message, const void* data, uint32_t length) {
  put_expression(message, "cmp", [&] {
    put_u32(message, NFTA_CMP_SREG, NFT_REG_1);
    put_u32(message, NFTA_CMP_OP, NFT_CMP_EQ);
    put_value(message, NFTA_CMP_DATA, data, length);
  });
}

void put_meta(nl_msg* message, uint32_t key) {
  put_expression(message, "meta", [&] {
    put_u32(message, NFTA_META_DREG, NFT_REG_1);
    put_u32(message, NFTA_META_KEY, key);
  });
}

void put_interface_match(nl_msg* message, const std::string& name) {
  put_meta(message, NFT_META_IIFNAME);
  Bytes padded{};
  std::copy_n(name.begin(), std::min(name.size(), padded.size() - 1), padded.begin());
  put_equals(message, padded.data(), padded.size());
}

void put_family_match(nl_msg* message, Family family) {
  put_meta(message, NFT_META_NFPROTO);
  const uint8_t protocol = protocol_of(family);
  put_equals(message, &protocol, sizeof protocol);
}

void put_load(nl_msg* message, HeaderField field, uint32_t header = NFT_PAYLOAD_NETWORK_HEADER) {
  put_expression(message, "payload", [&] {
    put_u32(message, NFTA_PAYLOAD_DREG, NFT_REG_1);
    put_u32(message, NFTA_PAYLOAD_BASE, header);
    put_u32(message, NFTA_PAYLOAD_OFFSET, field.offset);
    put_u32(message, NFTA_PAYLOAD_LEN, field.length);
  });
}

void put_network_match(nl_msg* message, HeaderField field, const Cidr& cidr) {
  put_load(message, field);
  const Cidr network = cidr.network();
  if (network.prefix < network.addr.bits()) {
    put_expression(message, "bitwise", [&] {
      put_u32(message, NFTA_BITWISE_SREG, NFT_REG_1);
      put_u32(message, NFTA_BITWISE_DREG, NFT_REG_1);
      put_u32(message, NFTA_BITWISE_LEN, field.length);
      put_value(message, NFTA_BITWISE_MASK, mask_of(network.prefix).data(), field.length);
      put_value(message, NFTA_BITWISE_XOR, Bytes{}.data(), field.length);
    });
  }
  put_equals(message, network.addr.data(), field.length);
}

void put_verdict(nl_msg* message, int code, const std::string& chain) {
  put_expression(message, "immediate", [&] {
    put_u32(message, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    put_nest(message, NFTA_IMMEDIATE_DATA, [&] {
      put_nest(message, NFTA_DATA_VERDICT, [&] {
        put_u32(message, NFTA_VERDICT_CODE, static_cast<uint32_t>(code));
        if (!chain.empty()) put_text(message, NFTA_VERDICT_CHAIN, chain);
      });
    });
  });
}

void put_source_map(nl_msg* message, Family family, const std::string& map) {
  put_load(message, source_field(family));
  put_expression(message, "lookup", [&] {
    put_text(message, NFTA_LOOKUP_SET, map);
    put_u32(message, NFTA_LOOKUP_SREG, NFT_REG_1);
    put_u32(message, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
  });
}

void put_action(nl_msg* message, const NftRule& rule, std::optional<Family> family) {
  switch (rule.action) {
    case NftRule::Action::kNone:
      return;
    case NftRule::Action::kAccept:
      return put_verdict(message, NF_ACCEPT, {});
    case NftRule::Action::kDrop:
      return put_verdict(message, NF_DROP, {});
    case NftRule::Action::kReturn:
      return put_verdict(message, NFT_RETURN, {});
    case NftRule::Action::kJump:
      return put_verdict(message, NFT_JUMP, rule.target);
    case NftRule::Action::kGoto:
      return put_verdict(message, NFT_GOTO, rule.target);
    case NftRule::Action::kMasquerade:
      return put_expression(message, "masq", [] {});
    case NftRule::Action::kSourceMap:
      return put_source_map(message, family.value_or(Family::kIpv4), rule.target);
  }
}

}  // namespace

void put_expressions(nl_msg* message, const NftRule& rule) {
  std::optional<Family> family = rule.family;
  if (rule.source) family = rule.source->family();
  if (rule.destination) family = rule.destination->family();
  put_nest(message, NFTA_RULE_EXPRESSIONS, [&] {
    if (!rule.input_interface.empty()) put_interface_match(message, rule.input_interface);
    if (rule.source_mac) {
      put_load(message, kSourceMacField, NFT_PAYLOAD_LL_HEADER);
      put_equals(message, rule.source_mac->data(), kSourceMacField.length);
    }
    if (family) put_family_match(message, *family);
    if (rule.source) put_network_match(message, source_field(*family), *rule.source);
    if (rule.destination) put_network_match(message, destination_field(*family), *rule.destination);
    put_action(message, rule, family);
  });
}

}  // namespace nft
}  // namespace cnio::net
