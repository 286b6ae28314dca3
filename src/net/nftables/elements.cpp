// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Sets and maps of any keys and values, and what is in them.
#include <cerrno>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "cnio/net/nftables/nftables.hpp"

#include "net/nftables/message.hpp"

namespace cnio::net {
namespace {

// libnftnl's numbers (its udata.h).
constexpr char kKeyByteOrder = 0;
constexpr uint32_t kHostOrder = 1;
constexpr uint8_t kSetComment = 7;
constexpr uint8_t kElementComment = 0;
constexpr uint32_t kTypeBits = 6;  // of nft's number of a concatenation, for each of its parts

constexpr uint32_t kRegisterBytes = 4;

uint32_t size_of(uint32_t type) {
  switch (type) {
    case kNftTypeIpv6Address:
    case kNftTypeInterface:
      return 16;
    case kNftTypeProtocol:
      return 1;
    case kNftTypePort:
      return 2;
    default:
      return 4;
  }
}

struct Layout {
  uint32_t type = 0;
  uint32_t length = 0;
};

// Of one part or of several, of which each is padded.
Layout layout_of(const std::vector<uint32_t>& types) {
  if (types.size() == 1) return {types[0], size_of(types[0])};
  Layout layout;
  for (const uint32_t type : types) {
    layout.type = layout.type << kTypeBits | type;
    layout.length += (size_of(type) + kRegisterBytes - 1) / kRegisterBytes * kRegisterBytes;
  }
  return layout;
}

void put_value(nl_msg* message, int attribute, std::string_view value) {
  nft::put_nest(message, attribute, [&] { nft::put_bytes(message, NFTA_DATA_VALUE, value); });
}

void put_goto(nl_msg* message, const std::string& chain) {
  nft::put_nest(message, NFTA_SET_ELEM_DATA, [&] {
    nft::put_nest(message, NFTA_DATA_VERDICT, [&] {
      nft::put_u32(message, NFTA_VERDICT_CODE, static_cast<uint32_t>(NFT_GOTO));
      nft::put_text(message, NFTA_VERDICT_CHAIN, chain);
    });
  });
}

void put_list(nl_msg* message, const NftTable& table, const std::string& set, const NftElement* element) {
  nft::put_text(message, NFTA_SET_ELEM_LIST_TABLE, table.name);
  nft::put_text(message, NFTA_SET_ELEM_LIST_SET, set);
  if (element == nullptr) return;
  nft::put_nest(message, NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
    nft::put_nest(message, NFTA_LIST_ELEM, [&] {
      put_value(message, NFTA_SET_ELEM_KEY, element->key);
      if (!element->data.empty()) put_value(message, NFTA_SET_ELEM_DATA, element->data);
      if (!element->chain.empty()) put_goto(message, element->chain);
      nft::put_comment(message, NFTA_SET_ELEM_USERDATA, kElementComment, element->comment);
    });
  });
}

std::string value_in(nlattr* nest) {
  nlattr* at[NFTA_DATA_MAX + 1] = {};
  nla_parse_nested(at, NFTA_DATA_MAX, nest, nullptr);
  return at[NFTA_DATA_VALUE] != nullptr ? std::string(nft::bytes_in(at[NFTA_DATA_VALUE])) : std::string();
}

std::string chain_in(nlattr* nest) {
  nlattr* data[NFTA_DATA_MAX + 1] = {};
  nla_parse_nested(data, NFTA_DATA_MAX, nest, nullptr);
  if (data[NFTA_DATA_VERDICT] == nullptr) return {};
  nlattr* verdict[NFTA_VERDICT_MAX + 1] = {};
  nla_parse_nested(verdict, NFTA_VERDICT_MAX, data[NFTA_DATA_VERDICT], nullptr);
  return verdict[NFTA_VERDICT_CHAIN] != nullptr ? text_of(verdict[NFTA_VERDICT_CHAIN]) : std::string();
}

NftElement parse_element(nlattr* element) {
  nlattr* at[NFTA_SET_ELEM_MAX + 1] = {};
  nla_parse_nested(at, NFTA_SET_ELEM_MAX, element, nullptr);
  NftElement parsed;
  if (at[NFTA_SET_ELEM_KEY] != nullptr) parsed.key = value_in(at[NFTA_SET_ELEM_KEY]);
  if (at[NFTA_SET_ELEM_DATA] != nullptr) {
    parsed.data = value_in(at[NFTA_SET_ELEM_DATA]);
    parsed.chain = chain_in(at[NFTA_SET_ELEM_DATA]);
  }
  if (at[NFTA_SET_ELEM_USERDATA] != nullptr) parsed.comment = nft::find_comment(at[NFTA_SET_ELEM_USERDATA]);
  return parsed;
}

void keep_elements(nlmsghdr& message, std::vector<NftElement>& elements) {
  nlattr* list = nlmsg_find_attr(&message, sizeof(nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
  if (list == nullptr) return;
  nlattr* element = nullptr;
  int remaining = 0;
  nla_for_each_nested(element, list, remaining) elements.push_back(parse_element(element));
}

// Names of interfaces are the one kind of key that nft takes for numbers of the host unless it is told.
void put_userdata(nl_msg* message, const NftSetSpec& set) {
  std::string bytes;
  if (set.key_types.front() == kNftTypeInterface) {
    bytes.append({kKeyByteOrder, sizeof kHostOrder}).append(expr::bytes_of_u32(kHostOrder));
  }
  bytes.append(nft::comment_bytes(kSetComment, set.comment));
  if (!bytes.empty()) nft::put_bytes(message, NFTA_SET_USERDATA, bytes);
}

}  // namespace

void NftBatch::ensure_set(const NftSetSpec& set) {
  const Layout key = layout_of(set.key_types);
  const bool map = set.verdicts || !set.data_types.empty();
  nl_msg* message = add(NFT_MSG_NEWSET, NLM_F_CREATE, (map ? "add map " : "add set ") + set.name);
  nft::put_text(message, NFTA_SET_TABLE, table_.name);
  nft::put_text(message, NFTA_SET_NAME, set.name);
  nft::put_u32(message, NFTA_SET_FLAGS, map ? uint32_t{NFT_SET_MAP} : 0);
  nft::put_u32(message, NFTA_SET_KEY_TYPE, key.type);
  nft::put_u32(message, NFTA_SET_KEY_LEN, key.length);
  if (set.verdicts) nft::put_u32(message, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
  if (!set.data_types.empty()) {
    const Layout data = layout_of(set.data_types);
    nft::put_u32(message, NFTA_SET_DATA_TYPE, data.type);
    nft::put_u32(message, NFTA_SET_DATA_LEN, data.length);
  }
  nft::put_u32(message, NFTA_SET_ID, static_cast<uint32_t>(messages_.size()));
  put_userdata(message, set);
}

void NftBatch::add_element(const std::string& set, const NftElement& element, bool exclusive) {
  const auto flags = static_cast<uint16_t>(NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0));
  put_list(add(NFT_MSG_NEWSETELEM, flags, "add an element to " + set), table_, set, &element);
}

void NftBatch::delete_element(const std::string& set, std::string_view key) {
  const NftElement element = {std::string(key)};
  put_list(add(NFT_MSG_DELSETELEM, 0, "delete an element from " + set), table_, set, &element);
}

Result<std::vector<NftElement>> NftConnection::list_elements(const NftTable& table, const std::string& set) {
  const MsgPtr message = nft::make_message(NFT_MSG_GETSETELEM, table.family, NLM_F_DUMP);
  put_list(message.get(), table, set, nullptr);
  std::vector<NftElement> elements;
  const auto keep = [&](nlmsghdr& answer) { keep_elements(answer, elements); };
  const Status status = netlink_.query(message.get(), "list elements of " + set, keep, [&] { elements.clear(); });
  if (!status.ok() && status.error().errnum() != ENOENT) return status.error();
  return elements;
}

Result<std::optional<NftElement>> NftConnection::find_element(const NftTable& table, const std::string& set,
                                                              std::string_view key) {
  const MsgPtr message = nft::make_message(NFT_MSG_GETSETELEM, table.family, 0);
  const NftElement wanted = {std::string(key)};
  put_list(message.get(), table, set, &wanted);
  std::vector<NftElement> found;
  const auto keep = [&](nlmsghdr& answer) { keep_elements(answer, found); };
  CNIO_LET(const bool exists, nft::look_up(netlink_, message.get(), "look into " + set, keep));
  if (!exists || found.empty()) return std::optional<NftElement>();
  return std::optional(std::move(found.front()));
}

}  // namespace cnio::net
