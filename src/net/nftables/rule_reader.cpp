// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <array>
#include <cstring>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "net/nftables/message.hpp"

namespace cnio::net::nft {
namespace {

// Follows a rule's expressions, as the kernel would, as far as NftRule can say what they do.
class RuleReader {
 public:
  explicit RuleReader(NftFamily table) {
    if (table == NftFamily::kIpv4) rule_.family = Family::kIpv4;
    if (table == NftFamily::kIpv6) rule_.family = Family::kIpv6;
  }

  void read(const nlattr* expression) {
    nlattr* outer[NFTA_EXPR_MAX + 1] = {};
    nla_parse_nested(outer, NFTA_EXPR_MAX, const_cast<nlattr*>(expression), nullptr);
    if (outer[NFTA_EXPR_NAME] == nullptr) return;
    const std::string name = text_of(outer[NFTA_EXPR_NAME]);
    nlattr* data = outer[NFTA_EXPR_DATA];
    if (name == "meta") return read_meta(data);
    if (name == "payload") return read_payload(data);
    if (name == "bitwise") return read_bitwise(data);
    if (name == "cmp") return read_cmp(data);
    if (name == "lookup") return read_lookup(data);
    if (name == "immediate") return read_immediate(data);
    if (name == "match") return read_match(data);
    if (name == "masq") {
      rule_.action = NftRule::Action::kMasquerade;
    } else if (name != "counter") {
      rule_.has_more = true;
    }
  }

  NftRule take() { return std::move(rule_); }

 private:
  enum class Loaded { kNothing, kFamily, kInterface, kHeader, kSourceMac };

  // The bytes of NFTA_DATA_VALUE, and how many there are.
  static size_t value(nlattr* nest, Bytes& out) {
    const nlattr* data = parse_nested(nest)[NFTA_DATA_VALUE];
    if (data == nullptr) return 0;
    const size_t length = std::min(static_cast<size_t>(nla_len(data)), out.size());
    std::memcpy(out.data(), nla_data(data), length);
    return length;
  }

  void read_meta(nlattr* data) {
    const uint32_t key = number_in(parse_nested(data)[NFTA_META_KEY]);
    loaded_ = key == NFT_META_NFPROTO   ? Loaded::kFamily
              : key == NFT_META_IIFNAME ? Loaded::kInterface
                                        : Loaded::kNothing;
  }

  void read_payload(nlattr* data) {
    const Nested attributes = parse_nested(data);
    const uint32_t base = number_in(attributes[NFTA_PAYLOAD_BASE]);
    field_ = {number_in(attributes[NFTA_PAYLOAD_OFFSET]), number_in(attributes[NFTA_PAYLOAD_LEN])};
    prefix_ = field_.length * 8;
    const bool source_mac = base == NFT_PAYLOAD_LL_HEADER && field_.offset == kSourceMacField.offset &&
                            field_.length == kSourceMacField.length;
    loaded_ = base == NFT_PAYLOAD_NETWORK_HEADER ? Loaded::kHeader : source_mac ? Loaded::kSourceMac : Loaded::kNothing;
  }

  void read_bitwise(nlattr* data) {
    Bytes mask{};
    const size_t length = value(parse_nested(data)[NFTA_BITWISE_MASK], mask);
    unsigned prefix = 0;
    while (prefix < length * 8 && (mask[prefix / 8] & 0x80U >> prefix % 8) != 0) ++prefix;
    if (mask != mask_of(prefix)) rule_.has_more = true;
    prefix_ = prefix;
  }

  void read_cmp(nlattr* data) {
    const Nested attributes = parse_nested(data);
    Bytes bytes{};
    const size_t length = value(attributes[NFTA_CMP_DATA], bytes);
    const bool kept = number_in(attributes[NFTA_CMP_OP]) == NFT_CMP_EQ && keep_match(bytes, length);
    if (!kept) rule_.has_more = true;
  }

  // What was loaded has to equal `bytes`. False if NftRule cannot say so.
  bool keep_match(const Bytes& bytes, size_t length) {
    switch (loaded_) {
      case Loaded::kFamily:
        if (length != 1) return false;
        rule_.family = bytes[0] == protocol_of(Family::kIpv4) ? Family::kIpv4 : Family::kIpv6;
        return true;
      case Loaded::kInterface: {
        // The whole name with its NUL; fewer bytes match all names that begin so.
        const auto* const end = std::find(bytes.begin(), bytes.end(), 0);
        if (length != bytes.size() || end == bytes.end()) return false;
        rule_.input_interface.assign(bytes.begin(), end);
        return true;
      }
      case Loaded::kSourceMac:
        if (length != kSourceMacField.length || prefix_ != length * 8) return false;
        rule_.source_mac = MacAddr::from_bytes(bytes.data());
        return true;
      case Loaded::kHeader:
        return rule_.family && keep_network(*rule_.family, bytes);
      case Loaded::kNothing:
        break;
    }
    return false;
  }

  // Prefixes that end at a byte may be compared by these bytes alone.
  bool keep_network(Family family, const Bytes& bytes) {
    const auto within = [this](HeaderField whole) {
      return field_.offset == whole.offset && field_.length <= whole.length;
    };
    const Cidr network = {IpAddr::from_bytes(family, bytes.data()), static_cast<uint8_t>(prefix_)};
    if (within(source_field(family))) {
      rule_.source = network;
    } else if (within(destination_field(family))) {
      rule_.destination = network;
    } else {
      return false;
    }
    return true;
  }

  void read_lookup(nlattr* data) {
    const Nested attributes = parse_nested(data);
    const bool by_source = loaded_ == Loaded::kHeader && rule_.family &&
                           field_.offset == source_field(*rule_.family).offset &&
                           field_.length == source_field(*rule_.family).length;
    const bool verdict =
        attributes[NFTA_LOOKUP_DREG] != nullptr && number_in(attributes[NFTA_LOOKUP_DREG]) == NFT_REG_VERDICT;
    if (!by_source || !verdict || attributes[NFTA_LOOKUP_SET] == nullptr) {
      rule_.has_more = true;
      return;
    }
    rule_.action = NftRule::Action::kSourceMap;
    rule_.target = text_of(attributes[NFTA_LOOKUP_SET]);
  }

  void read_immediate(nlattr* data) {
    const Nested verdict = parse_nested(parse_nested(parse_nested(data)[NFTA_IMMEDIATE_DATA])[NFTA_DATA_VERDICT]);
    if (verdict[NFTA_VERDICT_CODE] == nullptr) {
      rule_.has_more = true;
      return;
    }
    if (verdict[NFTA_VERDICT_CHAIN] != nullptr) rule_.target = text_of(verdict[NFTA_VERDICT_CHAIN]);
    switch (static_cast<int>(number_in(verdict[NFTA_VERDICT_CODE]))) {
      case NFT_JUMP:
        rule_.action = NftRule::Action::kJump;
        break;
      case NFT_GOTO:
        rule_.action = NftRule::Action::kGoto;
        break;
      case NFT_RETURN:
        rule_.action = NftRule::Action::kReturn;
        break;
      case NF_ACCEPT:
        rule_.action = NftRule::Action::kAccept;
        break;
      case NF_DROP:
        rule_.action = NftRule::Action::kDrop;
        break;
      default:
        rule_.has_more = true;
    }
  }

  // iptables-nft keeps its comments in a match of x_tables: struct xt_comment_info, 256 bytes of text.
  void read_match(nlattr* data) {
    const Nested attributes = parse_nested(data);
    if (attributes[NFTA_MATCH_NAME] == nullptr || text_of(attributes[NFTA_MATCH_NAME]) != "comment" ||
        attributes[NFTA_MATCH_INFO] == nullptr) {
      rule_.has_more = true;
      return;
    }
    rule_.comment = text_of(attributes[NFTA_MATCH_INFO]);
  }

  NftRule rule_;
  Loaded loaded_ = Loaded::kNothing;
  HeaderField field_{};
  unsigned prefix_ = 0;
};

}  // namespace

// Type, length, bytes, repeated.
std::string find_comment(const nlattr* userdata) { return find_text(userdata, 0); }

std::string find_text(const nlattr* userdata, uint8_t type) {
  const std::string_view bytes(static_cast<const char*>(nla_data(userdata)), static_cast<size_t>(nla_len(userdata)));
  for (size_t at = 0; at + 2 <= bytes.size();) {
    const size_t length = static_cast<uint8_t>(bytes[at + 1]);
    if (static_cast<uint8_t>(bytes[at]) == type) {
      const std::string_view text = bytes.substr(at + 2, length);
      return std::string(text.substr(0, text.find('\0')));
    }
    at += 2 + length;
  }
  return {};
}

NftRule parse_rule(nlmsghdr& message, NftFamily family) {
  nlattr* attributes[NFTA_RULE_MAX + 1] = {};
  nlmsg_parse(&message, sizeof(nfgenmsg), attributes, NFTA_RULE_MAX, nullptr);
  RuleReader reader(family);
  if (nlattr* expressions = attributes[NFTA_RULE_EXPRESSIONS]; expressions != nullptr) {
    nlattr* expression = nullptr;
    int remaining = 0;
    nla_for_each_nested(expression, expressions, remaining) reader.read(expression);
  }
  NftRule rule = reader.take();
  if (attributes[NFTA_RULE_CHAIN] != nullptr) rule.chain = text_of(attributes[NFTA_RULE_CHAIN]);
  if (attributes[NFTA_RULE_HANDLE] != nullptr) rule.handle = get_u64(attributes[NFTA_RULE_HANDLE]);
  if (attributes[NFTA_RULE_USERDATA] != nullptr && rule.comment.empty()) {
    rule.comment = find_comment(attributes[NFTA_RULE_USERDATA]);
  }
  return rule;
}

}  // namespace cnio::net::nft
