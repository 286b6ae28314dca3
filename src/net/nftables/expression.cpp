// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/nftables/expression.hpp"

#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <map>

#include <netlink/attr.h>

#include "net/nftables/message.hpp"

namespace cnio::net {
namespace {

// Attributes one after the other.
class AttributeBytes {
 public:
  explicit AttributeBytes(std::string bytes = {}) : bytes_(std::move(bytes)) {}

  AttributeBytes& put(int type, std::string_view content) {
    const nlattr header = {static_cast<uint16_t>(NLA_HDRLEN + content.size()), static_cast<uint16_t>(type)};
    bytes_.append(reinterpret_cast<const char*>(&header), sizeof header).append(content);
    bytes_.resize(NLA_ALIGN(bytes_.size()));
    return *this;
  }
  AttributeBytes& put(int type, uint32_t value) { return put(type, expr::bytes_of_u32(htonl(value))); }
  AttributeBytes& put_text(int type, std::string_view text) { return put(type, std::string(text).append(1, '\0')); }
  AttributeBytes& put_value(int type, std::string_view value) {
    return put(type, AttributeBytes().put(NFTA_DATA_VALUE, value).take());
  }
  AttributeBytes& put_register(int type, unsigned at) { return put(type, number_of(at)); }

  std::string take() { return std::move(bytes_); }

  // As the kernel tells it: 16 bytes by their own number where they begin one.
  static uint32_t number_of(unsigned at) { return at % 4 == 0 ? NFT_REG_1 + at / 4 : NFT_REG32_00 + at; }

 private:
  std::string bytes_;
};

using Contents = std::map<int, std::string_view>;

Contents parse(std::string_view bytes) {
  Contents contents;
  while (bytes.size() >= NLA_HDRLEN) {
    nlattr header{};
    std::copy_n(bytes.data(), sizeof header, reinterpret_cast<char*>(&header));
    if (header.nla_len < NLA_HDRLEN || header.nla_len > bytes.size()) break;
    contents[header.nla_type & NLA_TYPE_MASK] = bytes.substr(NLA_HDRLEN, header.nla_len - NLA_HDRLEN);
    bytes.remove_prefix(std::min<size_t>(NLA_ALIGN(header.nla_len), bytes.size()));
  }
  return contents;
}

bool says_nothing(std::string_view content) {
  return std::all_of(content.begin(), content.end(), [](char byte) { return byte == 0; });
}

}  // namespace

std::string_view find_attribute(std::string_view attributes, int type) {
  const Contents contents = parse(attributes);
  const auto found = contents.find(type);
  return found == contents.end() ? std::string_view() : found->second;
}

bool NftExpression::same_effect(const NftExpression& told) const {
  if (name != told.name) return false;
  if (name == "counter") return true;
  const Contents ours = parse(attributes);
  const Contents theirs = parse(told.attributes);
  const auto kept = [&](const auto& one) {
    const auto found = theirs.find(one.first);
    return found == theirs.end() ? says_nothing(one.second) : found->second == one.second;
  };
  const auto expected = [&](const auto& one) { return ours.contains(one.first) || says_nothing(one.second); };
  return std::all_of(ours.begin(), ours.end(), kept) && std::all_of(theirs.begin(), theirs.end(), expected);
}

bool NftProgram::same_effect(const NftProgram& told) const {
  return std::equal(steps.begin(), steps.end(), told.steps.begin(), told.steps.end(),
                    [](const NftExpression& a, const NftExpression& b) { return a.same_effect(b); });
}

std::string NftProgram::target() const {
  for (const NftExpression& step : steps) {
    if (step.name != "immediate") continue;
    const std::string_view data = find_attribute(step.attributes, NFTA_IMMEDIATE_DATA);
    const std::string_view verdict = find_attribute(data, NFTA_DATA_VERDICT);
    const std::string_view chain = find_attribute(verdict, NFTA_VERDICT_CHAIN);
    if (!chain.empty()) return std::string(chain.substr(0, chain.find('\0')));
  }
  return {};
}

std::string NftProgram::input_interface() const {
  if (steps.size() < 2 || !expr::load_meta(NFT_META_IIFNAME).same_effect(steps[0]) || steps[1].name != "cmp") return {};
  const std::string& compared = steps[1].attributes;
  const std::string_view value = find_attribute(find_attribute(compared, NFTA_CMP_DATA), NFTA_DATA_VALUE);
  const bool equal = says_nothing(find_attribute(compared, NFTA_CMP_OP));  // NFT_CMP_EQ
  return equal ? std::string(value.substr(0, value.find('\0'))) : std::string();
}

namespace expr {

std::string bytes_of(const IpAddr& address) { return {reinterpret_cast<const char*>(address.data()), address.size()}; }

std::string bytes_of_port(uint16_t port) {
  const uint16_t wire = htons(port);
  return {reinterpret_cast<const char*>(&wire), sizeof wire};
}

std::string bytes_of_u32(uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

std::string bytes_of_interface(std::string_view name) {
  std::string bytes(name.substr(0, IFNAMSIZ - 1));
  bytes.resize(IFNAMSIZ);
  return bytes;
}

NftExpression load_meta(uint32_t key, unsigned at) {
  return {"meta", AttributeBytes().put_register(NFTA_META_DREG, at).put(NFTA_META_KEY, key).take()};
}

NftExpression set_meta(uint32_t key, unsigned at) {
  return {"meta", AttributeBytes().put_register(NFTA_META_SREG, at).put(NFTA_META_KEY, key).take()};
}

NftExpression load_payload(uint32_t header, uint32_t offset, uint32_t length, unsigned at) {
  return {"payload", AttributeBytes()
                         .put_register(NFTA_PAYLOAD_DREG, at)
                         .put(NFTA_PAYLOAD_BASE, header)
                         .put(NFTA_PAYLOAD_OFFSET, offset)
                         .put(NFTA_PAYLOAD_LEN, length)
                         .take()};
}

NftExpression load_source(Family family, unsigned at) {
  const nft::HeaderField field = nft::source_field(family);
  return load_payload(NFT_PAYLOAD_NETWORK_HEADER, field.offset, field.length, at);
}

NftExpression load_destination(Family family, unsigned at) {
  const nft::HeaderField field = nft::destination_field(family);
  return load_payload(NFT_PAYLOAD_NETWORK_HEADER, field.offset, field.length, at);
}

// TCP, UDP, SCTP, DCCP and UDP-Lite have it in the same place.
NftExpression load_destination_port(unsigned at) { return load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, at); }

NftExpression load_tracking(uint32_t key, unsigned at) {
  return {"ct", AttributeBytes().put_register(NFTA_CT_DREG, at).put(NFTA_CT_KEY, key).take()};
}

NftExpression load_destination_type(unsigned at) {
  return {"fib", AttributeBytes()
                     .put_register(NFTA_FIB_DREG, at)
                     .put(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE)
                     .put(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR)
                     .take()};
}

NftExpression mask(std::string_view mask, std::string_view flip, unsigned at) {
  std::string flipped(flip);
  flipped.resize(mask.size());
  return {"bitwise", AttributeBytes()
                         .put_register(NFTA_BITWISE_SREG, at)
                         .put_register(NFTA_BITWISE_DREG, at)
                         .put(NFTA_BITWISE_LEN, static_cast<uint32_t>(mask.size()))
                         .put_value(NFTA_BITWISE_MASK, mask)
                         .put_value(NFTA_BITWISE_XOR, flipped)
                         .take()};
}

NftExpression compare(std::string_view value, unsigned at, bool equal) {
  return {"cmp", AttributeBytes()
                     .put_register(NFTA_CMP_SREG, at)
                     .put(NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ)
                     .put_value(NFTA_CMP_DATA, value)
                     .take()};
}

std::vector<NftExpression> of_family(Family family) {
  const uint8_t number = nft::protocol_of(family);
  return {load_meta(NFT_META_NFPROTO), compare(std::string(1, static_cast<char>(number)))};
}

NftExpression in_range(std::string_view first, std::string_view last, unsigned at) {
  return {"range", AttributeBytes()
                       .put_register(NFTA_RANGE_SREG, at)
                       .put(NFTA_RANGE_OP, NFT_RANGE_EQ)
                       .put_value(NFTA_RANGE_FROM_DATA, first)
                       .put_value(NFTA_RANGE_TO_DATA, last)
                       .take()};
}

NftExpression look_up(std::string_view set, unsigned at, bool negated) {
  return {"lookup", AttributeBytes()
                        .put_text(NFTA_LOOKUP_SET, set)
                        .put_register(NFTA_LOOKUP_SREG, at)
                        .put(NFTA_LOOKUP_FLAGS, negated ? uint32_t{NFT_LOOKUP_F_INV} : 0)
                        .take()};
}

NftExpression map_to(std::string_view map, unsigned from, unsigned to) {
  return {"lookup", AttributeBytes()
                        .put_text(NFTA_LOOKUP_SET, map)
                        .put_register(NFTA_LOOKUP_SREG, from)
                        .put_register(NFTA_LOOKUP_DREG, to)
                        .take()};
}

NftExpression map_to_verdict(std::string_view map, unsigned from) {
  return {"lookup", AttributeBytes()
                        .put_text(NFTA_LOOKUP_SET, map)
                        .put_register(NFTA_LOOKUP_SREG, from)
                        .put(NFTA_LOOKUP_DREG, NFT_REG_VERDICT)
                        .take()};
}

NftExpression set_immediate(std::string_view value, unsigned at) {
  return {"immediate",
          AttributeBytes().put_register(NFTA_IMMEDIATE_DREG, at).put_value(NFTA_IMMEDIATE_DATA, value).take()};
}

NftExpression verdict(int code, std::string_view chain) {
  AttributeBytes verdict;
  verdict.put(NFTA_VERDICT_CODE, static_cast<uint32_t>(code));
  if (!chain.empty()) verdict.put_text(NFTA_VERDICT_CHAIN, chain);
  const std::string data = AttributeBytes().put(NFTA_DATA_VERDICT, verdict.take()).take();
  return {"immediate",
          AttributeBytes().put(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT).put(NFTA_IMMEDIATE_DATA, data).take()};
}

// Each range has one address and one port. The kernel sets these flags by itself, and tells them.
NftExpression dnat(Family family, unsigned address_at, std::optional<unsigned> port_at) {
  AttributeBytes attributes;
  attributes.put(NFTA_NAT_TYPE, NFT_NAT_DNAT).put(NFTA_NAT_FAMILY, nft::protocol_of(family));
  attributes.put_register(NFTA_NAT_REG_ADDR_MIN, address_at).put_register(NFTA_NAT_REG_ADDR_MAX, address_at);
  uint32_t flags = NF_NAT_RANGE_MAP_IPS;
  if (port_at) {
    attributes.put_register(NFTA_NAT_REG_PROTO_MIN, *port_at).put_register(NFTA_NAT_REG_PROTO_MAX, *port_at);
    flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
  }
  return {"nat", attributes.put(NFTA_NAT_FLAGS, flags).take()};
}

NftExpression masquerade() { return {"masq", {}}; }

NftExpression counter() { return {"counter", {}}; }

NftExpression match(std::string_view name, uint32_t revision, std::string_view info) {
  return {
      "match",
      AttributeBytes().put_text(NFTA_MATCH_NAME, name).put(NFTA_MATCH_REV, revision).put(NFTA_MATCH_INFO, info).take()};
}

NftExpression target(std::string_view name, uint32_t revision, std::string_view info) {
  return {"target", AttributeBytes()
                        .put_text(NFTA_TARGET_NAME, name)
                        .put(NFTA_TARGET_REV, revision)
                        .put(NFTA_TARGET_INFO, info)
                        .take()};
}

}  // namespace expr
}  // namespace cnio::net
