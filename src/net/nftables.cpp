// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/nftables.hpp"

#include <cerrno>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "nftables_message.hpp"

namespace cnio::net {
namespace {

using nft::get_u32;
using nft::make_message;
using nft::put_text;

// Runs a get; true if the object exists.
Result<bool> look_up(Netlink& netlink, nl_msg* message, const std::string& operation, const Netlink::Handler& handler) {
  const Status status = netlink.query(message, operation, handler);
  if (status.ok()) return true;
  if (status.error().errnum() == ENOENT) return false;
  return status.error();
}

// Parses one level of attributes behind the nfgenmsg.
template <int kMax>
struct Attributes {
  explicit Attributes(nlmsghdr& message) { nlmsg_parse(&message, sizeof(nfgenmsg), at, kMax, nullptr); }
  nlattr* at[kMax + 1] = {};
};

// Nothing if it belongs to another table.
std::optional<NftChain> parse_chain(nlmsghdr& message, const NftTable& table) {
  const Attributes<NFTA_CHAIN_MAX> attributes(message);
  const nlattr* in_table = attributes.at[NFTA_CHAIN_TABLE];
  const nlattr* name = attributes.at[NFTA_CHAIN_NAME];
  if (in_table == nullptr || name == nullptr || text_of(in_table) != table.name) return std::nullopt;
  const nlattr* userdata = attributes.at[NFTA_CHAIN_USERDATA];
  return NftChain{text_of(name), userdata != nullptr ? nft::find_comment(userdata) : std::string()};
}

struct Element {
  IpAddr key;
  std::string chain;
};

std::optional<Element> parse_element(nlattr* element) {
  nlattr* at[NFTA_SET_ELEM_MAX + 1] = {};
  nla_parse_nested(at, NFTA_SET_ELEM_MAX, element, nullptr);
  if (at[NFTA_SET_ELEM_KEY] == nullptr || at[NFTA_SET_ELEM_DATA] == nullptr) return std::nullopt;
  nlattr* key[NFTA_DATA_MAX + 1] = {};
  nla_parse_nested(key, NFTA_DATA_MAX, at[NFTA_SET_ELEM_KEY], nullptr);
  nlattr* data[NFTA_DATA_MAX + 1] = {};
  nla_parse_nested(data, NFTA_DATA_MAX, at[NFTA_SET_ELEM_DATA], nullptr);
  if (key[NFTA_DATA_VALUE] == nullptr || data[NFTA_DATA_VERDICT] == nullptr) return std::nullopt;
  nlattr* verdict[NFTA_VERDICT_MAX + 1] = {};
  nla_parse_nested(verdict, NFTA_VERDICT_MAX, data[NFTA_DATA_VERDICT], nullptr);
  const nlattr* chain = verdict[NFTA_VERDICT_CHAIN];
  return Element{to_ip(key[NFTA_DATA_VALUE]), chain != nullptr ? text_of(chain) : std::string()};
}

template <class Visit>
void for_each_element(nlmsghdr& message, Visit visit) {
  const Attributes<NFTA_SET_ELEM_LIST_MAX> attributes(message);
  if (attributes.at[NFTA_SET_ELEM_LIST_ELEMENTS] == nullptr) return;
  nlattr* element = nullptr;
  int remaining = 0;
  nla_for_each_nested(element, attributes.at[NFTA_SET_ELEM_LIST_ELEMENTS], remaining) {
    if (const auto parsed = parse_element(element)) visit(*parsed);
  }
}

}  // namespace

Result<std::optional<NftConnection>> NftConnection::open() {
  auto netlink = Netlink::open(NETLINK_NETFILTER);
  if (!netlink.ok()) {
    if (netlink.error().errnum() == EPROTONOSUPPORT) return std::optional<NftConnection>();
    return std::move(netlink).error();
  }
  NftConnection connection(std::move(netlink).value());
  // The carrier is there, but does it know nf_tables?
  const auto generation = connection.generation();
  if (!generation.ok() && generation.error().errnum() == EINVAL) return std::optional<NftConnection>();
  if (!generation.ok()) return generation.error();
  return std::optional<NftConnection>(std::move(connection));
}

Result<NftConnection> NftConnection::require(std::string_view needs) {
  CNIO_LET(auto connection, open());
  if (!connection) return Error::make(Code::kKernel, "this kernel has no nf_tables", std::string(needs));
  return *std::move(connection);
}

Result<uint32_t> NftConnection::generation() {
  const MsgPtr message = make_message(NFT_MSG_GETGEN, NftFamily::kInet, 0);
  uint32_t generation = 0;
  CNIO_TRY(netlink_.query(message.get(), "ask nf_tables for its generation", [&](nlmsghdr& answer) {
    const Attributes<NFTA_GEN_MAX> attributes(answer);
    if (attributes.at[NFTA_GEN_ID] != nullptr) generation = get_u32(attributes.at[NFTA_GEN_ID]);
  }));
  return generation;
}

Result<std::optional<uint32_t>> NftConnection::find_table_use(const NftTable& table) {
  const MsgPtr message = make_message(NFT_MSG_GETTABLE, table.family, 0);
  put_text(message.get(), NFTA_TABLE_NAME, table.name);
  uint32_t use = 0;
  CNIO_LET(const bool found, look_up(netlink_, message.get(), "look for table " + table.name, [&](nlmsghdr& answer) {
             const Attributes<NFTA_TABLE_MAX> attributes(answer);
             if (attributes.at[NFTA_TABLE_USE] != nullptr) use = get_u32(attributes.at[NFTA_TABLE_USE]);
           }));
  return found ? std::optional(use) : std::nullopt;
}

Result<std::optional<NftChain>> NftConnection::find_chain(const NftTable& table, const std::string& chain) {
  const MsgPtr message = make_message(NFT_MSG_GETCHAIN, table.family, 0);
  put_text(message.get(), NFTA_CHAIN_TABLE, table.name);
  put_text(message.get(), NFTA_CHAIN_NAME, chain);
  std::optional<NftChain> found;
  const auto keep = [&](nlmsghdr& answer) { found = parse_chain(answer, table); };
  CNIO_TRY(look_up(netlink_, message.get(), "look for chain " + chain, keep));
  return found;
}

Result<bool> NftConnection::has_chain(const NftTable& table, const std::string& chain) {
  CNIO_LET(const std::optional<NftChain> found, find_chain(table, chain));
  return found.has_value();
}

Result<std::vector<NftChain>> NftConnection::list_chains(const NftTable& table) {
  const MsgPtr message = make_message(NFT_MSG_GETCHAIN, table.family, NLM_F_DUMP);
  std::vector<NftChain> chains;
  const auto keep = [&](nlmsghdr& answer) {
    if (auto chain = parse_chain(answer, table)) chains.push_back(*std::move(chain));
  };
  CNIO_TRY(netlink_.query(message.get(), "list chains of table " + table.name, keep, [&] { chains.clear(); }));
  return chains;
}

Result<std::vector<NftRule>> NftConnection::list_rules(const NftTable& table, const std::string& chain) {
  const MsgPtr message = make_message(NFT_MSG_GETRULE, table.family, NLM_F_DUMP);
  put_text(message.get(), NFTA_RULE_TABLE, table.name);
  put_text(message.get(), NFTA_RULE_CHAIN, chain);
  std::vector<NftRule> rules;
  CNIO_TRY(netlink_.query(
      message.get(), "list rules of chain " + chain,
      [&](nlmsghdr& answer) { rules.push_back(nft::parse_rule(answer, table.family)); }, [&] { rules.clear(); }));
  return rules;
}

Result<std::optional<std::string>> NftConnection::find_goto(const NftTable& table, const std::string& map,
                                                            const IpAddr& key) {
  const MsgPtr message = make_message(NFT_MSG_GETSETELEM, table.family, 0);
  put_text(message.get(), NFTA_SET_ELEM_LIST_TABLE, table.name);
  put_text(message.get(), NFTA_SET_ELEM_LIST_SET, map);
  nft::put_element(message.get(), NFTA_SET_ELEM_LIST_ELEMENTS, key, nullptr);
  std::optional<std::string> chain;
  const std::string operation = "look for " + key.to_string() + " in map " + map;
  CNIO_TRY(look_up(netlink_, message.get(), operation, [&](nlmsghdr& answer) {
    for_each_element(answer, [&](const Element& element) { chain = element.chain; });
  }));
  return chain;
}

Result<std::vector<IpAddr>> NftConnection::list_keys_to(const NftTable& table, const std::string& map,
                                                        const std::string& chain) {
  const MsgPtr message = make_message(NFT_MSG_GETSETELEM, table.family, NLM_F_DUMP);
  put_text(message.get(), NFTA_SET_ELEM_LIST_TABLE, table.name);
  put_text(message.get(), NFTA_SET_ELEM_LIST_SET, map);
  std::vector<IpAddr> keys;
  const auto keep = [&](nlmsghdr& answer) {
    for_each_element(answer, [&](const Element& element) {
      if (element.chain == chain) keys.push_back(element.key);
    });
  };
  const auto status = netlink_.query(message.get(), "list elements of map " + map, keep, [&] { keys.clear(); });
  if (!status.ok() && status.error().errnum() != ENOENT) return status.error();
  return keys;
}

}  // namespace cnio::net
