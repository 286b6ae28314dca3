// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "net/nftables/message.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <endian.h>
#include <iterator>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

namespace cnio::net::nft {
namespace {

void must(int libnl_result) {
  // Building can only fail for want of room.
  if (libnl_result < 0) throw std::bad_alloc();
}

}  // namespace

uint8_t protocol_of(NftFamily family) {
  switch (family) {
    case NftFamily::kIpv4:
      return NFPROTO_IPV4;
    case NftFamily::kIpv6:
      return NFPROTO_IPV6;
    case NftFamily::kBridge:
      return NFPROTO_BRIDGE;
    case NftFamily::kInet:
      break;
  }
  return NFPROTO_INET;
}

std::optional<NftFamily> family_of(uint8_t protocol) {
  for (const NftFamily family : {NftFamily::kInet, NftFamily::kIpv4, NftFamily::kIpv6, NftFamily::kBridge}) {
    if (protocol_of(family) == protocol) return family;
  }
  return std::nullopt;
}

uint8_t protocol_of(Family family) { return family == Family::kIpv4 ? NFPROTO_IPV4 : NFPROTO_IPV6; }

MsgPtr make_message(uint16_t type, NftFamily family, uint16_t flags) {
  MsgPtr message(checked(nlmsg_alloc()));
  const int full_type = NFNL_SUBSYS_NFTABLES << 8 | type;
  nlmsghdr* header =
      checked(nlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, full_type, sizeof(nfgenmsg), NLM_F_REQUEST | flags));
  auto* generic = static_cast<nfgenmsg*>(nlmsg_data(header));
  *generic = {protocol_of(family), NFNETLINK_V0, 0};
  return message;
}

void put_u32(nl_msg* message, int attribute, uint32_t value) { must(nla_put_u32(message, attribute, htonl(value))); }

void put_u64(nl_msg* message, int attribute, uint64_t value) { must(nla_put_u64(message, attribute, htobe64(value))); }

void put_text(nl_msg* message, int attribute, const std::string& text) {
  must(nla_put_string(message, attribute, text.c_str()));
}

std::string comment_bytes(uint8_t type, std::string_view comment) {
  if (comment.empty()) return {};
  const std::string_view cut = comment.substr(0, kNftCommentLimit);
  std::string bytes;
  bytes.push_back(static_cast<char>(type));
  bytes.push_back(static_cast<char>(cut.size() + 1));
  bytes.append(cut).push_back('\0');
  return bytes;
}

void put_comment(nl_msg* message, int attribute, uint8_t type, std::string_view comment) {
  if (!comment.empty()) put_bytes(message, attribute, comment_bytes(type, comment));
}

void put_bytes(nl_msg* message, int attribute, std::string_view bytes) {
  must(nla_put(message, attribute, static_cast<int>(bytes.size()), bytes.data()));
}

std::string_view bytes_in(const nlattr* attribute) {
  return {static_cast<const char*>(nla_data(attribute)), static_cast<size_t>(nla_len(attribute))};
}

HookPlace place_of(NftBaseChain::Hook hook) {
  switch (hook) {
    case NftBaseChain::Hook::kNatPrerouting:
      return {"nat", NF_INET_PRE_ROUTING};
    case NftBaseChain::Hook::kNatOutput:
      return {"nat", NF_INET_LOCAL_OUT};
    case NftBaseChain::Hook::kNatPostrouting:
      return {"nat", NF_INET_POST_ROUTING};
    case NftBaseChain::Hook::kFilterPrerouting:
      return {"filter", NF_INET_PRE_ROUTING};
    case NftBaseChain::Hook::kFilterForward:
      return {"filter", NF_INET_FORWARD};
    case NftBaseChain::Hook::kBridgePrerouting:
      return {"filter", NF_BR_PRE_ROUTING};
    case NftBaseChain::Hook::kBridgeForward:
      break;
  }
  return {"filter", NF_BR_FORWARD};
}

const char* name_of_hook(uint32_t number) {
  constexpr const char* kNames[] = {"prerouting", "input", "forward", "output", "postrouting"};
  return number < std::size(kNames) ? kNames[number] : nullptr;
}

void put_element(nl_msg* message, int attribute, const IpAddr& key, const std::string* chain) {
  put_nest(message, attribute, [&] {
    put_nest(message, NFTA_LIST_ELEM, [&] {
      put_nest(message, NFTA_SET_ELEM_KEY,
               [&] { must(nla_put(message, NFTA_DATA_VALUE, static_cast<int>(key.size()), key.data())); });
      if (chain == nullptr) return;
      put_nest(message, NFTA_SET_ELEM_DATA, [&] {
        put_nest(message, NFTA_DATA_VERDICT, [&] {
          put_u32(message, NFTA_VERDICT_CODE, static_cast<uint32_t>(NFT_GOTO));
          put_text(message, NFTA_VERDICT_CHAIN, *chain);
        });
      });
    });
  });
}

MsgPtr make_rule_dump(const NftTable& table, const std::string& chain) {
  MsgPtr message = make_message(NFT_MSG_GETRULE, table.family, NLM_F_DUMP);
  put_text(message.get(), NFTA_RULE_TABLE, table.name);
  if (!chain.empty()) put_text(message.get(), NFTA_RULE_CHAIN, chain);
  return message;
}

Result<bool> look_up(Netlink& netlink, nl_msg* message, const std::string& operation, const Netlink::Handler& handler) {
  const Status status = netlink.query_together({message}, operation, handler);
  if (status.ok()) return true;
  if (status.error().errnum() == ENOENT) return false;
  return status.error();
}

uint32_t get_u32(const nlattr* attribute) { return ntohl(value_of<uint32_t>(attribute)); }

uint32_t number_in(const nlattr* attribute) { return attribute != nullptr ? get_u32(attribute) : 0; }

Nested parse_nested(const nlattr* nest) {
  Nested out{};
  if (nest != nullptr) nla_parse_nested(out.data(), kMaxNested, const_cast<nlattr*>(nest), nullptr);
  return out;
}

uint64_t get_u64(const nlattr* attribute) { return be64toh(value_of<uint64_t>(attribute)); }

}  // namespace cnio::net::nft
