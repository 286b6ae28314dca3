// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "cnio/net/nftables/nftables.hpp"

#include "net/nl_ptr.hpp"

// How nf_tables messages are put together: attributes in network byte order, nests, user data, and rules.
namespace cnio::net::nft {

// Where an address is in the network header, in bytes.
struct HeaderField {
  uint32_t offset;
  uint32_t length;
};
HeaderField source_field(Family family);
HeaderField destination_field(Family family);
// Likewise the sender's MAC address in the link layer's.
inline constexpr HeaderField kSourceMacField = {6, 6};

// Room for an address of either family, or for the name of an interface.
using Bytes = std::array<uint8_t, 16>;
Bytes mask_of(unsigned prefix);

// NFPROTO_*.
uint8_t protocol_of(NftFamily family);
uint8_t protocol_of(Family family);
// And back; nothing for those of no use here.
std::optional<NftFamily> family_of(uint8_t protocol);

// A message of nf_tables; `type` is NFT_MSG_*. It has room for a page, which no rule or element fills.
MsgPtr make_message(uint16_t type, NftFamily family, uint16_t flags);

void put_u32(nl_msg* message, int attribute, uint32_t value);
void put_u64(nl_msg* message, int attribute, uint64_t value);
void put_text(nl_msg* message, int attribute, const std::string& text);
inline constexpr uint8_t kRuleComment = 0;  // libnftnl's number (its udata.h)
// A comment for people, in the form of libnftnl's user data; `type` is its number there. Cut at kNftCommentLimit.
std::string comment_bytes(uint8_t type, std::string_view comment);
void put_comment(nl_msg* message, int attribute, uint8_t type, std::string_view comment);

template <class Fill>
void put_nest(nl_msg* message, int attribute, Fill fill) {
  nlattr* nest = checked(nla_nest_start(message, attribute | NLA_F_NESTED));
  fill();
  nla_nest_end(message, nest);
}

// NFTA_SET_ELEM_LIST_ELEMENTS or the like with one element; with `chain` also where it goes to.
void put_element(nl_msg* message, int attribute, const IpAddr& key, const std::string* chain);
void put_expressions(nl_msg* message, const NftRule& rule);
void put_bytes(nl_msg* message, int attribute, std::string_view bytes);
std::string_view bytes_in(const nlattr* attribute);

// The type and hook of the nf_tables chain, NF_INET_* or NF_BR_*, with its name for people.
struct HookPlace {
  const char* type;
  uint32_t number;
};
HookPlace place_of(NftBaseChain::Hook hook);
const char* name_of_hook(uint32_t number);  // null: there is none

// Of all chains, if none is named.
MsgPtr make_rule_dump(const NftTable& table, const std::string& chain);
// Runs a get; true if the object exists.
Result<bool> look_up(Netlink& netlink, nl_msg* message, const std::string& operation, const Netlink::Handler& handler);

uint32_t get_u32(const nlattr* attribute);
uint64_t get_u64(const nlattr* attribute);
uint32_t number_in(const nlattr* attribute);  // 0 if there is none

// What is within a nest, by type: as many types as any expression's, element's or verdict's attributes have. None
// without one.
inline constexpr int kMaxNested = 16;
using Nested = std::array<nlattr*, kMaxNested + 1>;
Nested parse_nested(const nlattr* nest);

// The comment within libnftnl's user data of a chain or rule.
std::string find_comment(const nlattr* userdata);
// The text of any number in there.
std::string find_text(const nlattr* userdata, uint8_t type);

// A rule of a table of this family from an NFT_MSG_NEWRULE message.
NftRule parse_rule(nlmsghdr& message, NftFamily family);

}  // namespace cnio::net::nft
