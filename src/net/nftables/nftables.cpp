// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/nftables/nftables.hpp"

#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <cerrno>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "net/nftables/message.hpp"

namespace cnio::net {
namespace {

using nft::get_u32;
using nft::look_up;
using nft::make_message;
using nft::make_rule_dump;
using nft::put_text;

// Parses one level of attributes behind the nfgenmsg.
template <int kMax>
struct Attributes {
  explicit Attributes(nlmsghdr& message) { nlmsg_parse(&message, sizeof(nfgenmsg), at, kMax, nullptr); }
  nlattr* at[kMax + 1] = {};
};

std::string comment_in(const nlattr* userdata) {
  return userdata != nullptr ? nft::find_comment(userdata) : std::string();
}

NftTableInfo parse_table(nlmsghdr& message) {
  const Attributes<NFTA_TABLE_MAX> attributes(message);
  NftTableInfo table;
  if (const nlattr* flags = attributes.at[NFTA_TABLE_FLAGS])
    table.dormant = (get_u32(flags) & NFT_TABLE_F_DORMANT) != 0;
  if (const nlattr* owner = attributes.at[NFTA_TABLE_OWNER]) table.owner = get_u32(owner);
  if (const nlattr* use = attributes.at[NFTA_TABLE_USE]) table.use = get_u32(use);
  table.comment = comment_in(attributes.at[NFTA_TABLE_USERDATA]);
  return table;
}

std::optional<NftHook> parse_hook(const Attributes<NFTA_CHAIN_MAX>& chain) {
  nlattr* nest = chain.at[NFTA_CHAIN_HOOK];
  if (nest == nullptr) return std::nullopt;
  nlattr* at[NFTA_HOOK_MAX + 1] = {};
  nla_parse_nested(at, NFTA_HOOK_MAX, nest, nullptr);
  if (at[NFTA_HOOK_HOOKNUM] == nullptr || at[NFTA_HOOK_PRIORITY] == nullptr) return std::nullopt;
  NftHook hook;
  hook.number = get_u32(at[NFTA_HOOK_HOOKNUM]);
  hook.priority = static_cast<int32_t>(get_u32(at[NFTA_HOOK_PRIORITY]));
  if (chain.at[NFTA_CHAIN_TYPE] != nullptr) hook.type = text_of(chain.at[NFTA_CHAIN_TYPE]);
  if (chain.at[NFTA_CHAIN_POLICY] != nullptr) hook.accepts = get_u32(chain.at[NFTA_CHAIN_POLICY]) == NF_ACCEPT;
  return hook;
}

// Nothing if it belongs to another table.
std::optional<NftChain> parse_chain(nlmsghdr& message, const NftTable& table) {
  const Attributes<NFTA_CHAIN_MAX> attributes(message);
  const nlattr* in_table = attributes.at[NFTA_CHAIN_TABLE];
  const nlattr* name = attributes.at[NFTA_CHAIN_NAME];
  if (in_table == nullptr || name == nullptr || text_of(in_table) != table.name) return std::nullopt;
  return NftChain{text_of(name), comment_in(attributes.at[NFTA_CHAIN_USERDATA]), parse_hook(attributes)};
}

NftMap parse_map(nlmsghdr& message) {
  const Attributes<NFTA_SET_MAX> attributes(message);
  const auto number = [&](int attribute) {
    return attributes.at[attribute] != nullptr ? get_u32(attributes.at[attribute]) : 0;
  };
  NftMap map;
  if (attributes.at[NFTA_SET_NAME] != nullptr) map.name = text_of(attributes.at[NFTA_SET_NAME]);
  const bool verdicts = number(NFTA_SET_FLAGS) == NFT_SET_MAP && number(NFTA_SET_DATA_TYPE) == NFT_DATA_VERDICT;
  if (verdicts && number(NFTA_SET_KEY_LEN) == 4) map.key = Family::kIpv4;
  if (verdicts && number(NFTA_SET_KEY_LEN) == 16) map.key = Family::kIpv6;
  return map;
}

std::string describe(const NftHook& hook) {
  const char* known = nft::name_of_hook(hook.number);
  const std::string name = known != nullptr ? known : std::to_string(hook.number);
  return "of type " + hook.type + " at hook " + name + " with priority " + std::to_string(hook.priority);
}

MsgPtr make_chain_get(const NftTable& table, const std::string& chain) {
  MsgPtr message = make_message(NFT_MSG_GETCHAIN, table.family, 0);
  put_text(message.get(), NFTA_CHAIN_TABLE, table.name);
  put_text(message.get(), NFTA_CHAIN_NAME, chain);
  return message;
}

struct VerdictElement {
  IpAddr key;
  std::string chain;
};

std::optional<VerdictElement> parse_verdict(nlattr* element) {
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
  return VerdictElement{to_ip(key[NFTA_DATA_VALUE]), chain != nullptr ? text_of(chain) : std::string()};
}

template <class Visit>
void for_each_element(nlmsghdr& message, Visit visit) {
  const Attributes<NFTA_SET_ELEM_LIST_MAX> attributes(message);
  if (attributes.at[NFTA_SET_ELEM_LIST_ELEMENTS] == nullptr) return;
  nlattr* element = nullptr;
  int remaining = 0;
  nla_for_each_nested(element, attributes.at[NFTA_SET_ELEM_LIST_ELEMENTS], remaining) {
    if (const auto parsed = parse_verdict(element)) visit(*parsed);
  }
}

}  // namespace

std::string NftBaseChain::mismatch(const NftChain& found) const {
  if (!found.hook) return "is no base chain, so the kernel never calls it";
  const nft::HookPlace place = nft::place_of(hook);
  const NftHook wanted = {place.type, place.number, priority, true};
  const bool same =
      found.hook->type == wanted.type && found.hook->number == wanted.number && found.hook->priority == wanted.priority;
  return same ? std::string() : "is " + describe(*found.hook) + ", not " + describe(wanted);
}

namespace {

template <class Named>
const Named* find_named(const std::vector<Named>& all, const std::string& name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Named& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

const NftChain* NftView::find_chain(const std::string& name) const { return find_named(chains, name); }

const NftMap* NftView::find_map(const std::string& name) const { return find_named(maps, name); }

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
  const auto keep = [&](nlmsghdr& answer) {
    const Attributes<NFTA_GEN_MAX> attributes(answer);
    if (attributes.at[NFTA_GEN_ID] != nullptr) generation = get_u32(attributes.at[NFTA_GEN_ID]);
  };
  CNIO_TRY(netlink_.query_together({message.get()}, "ask nf_tables for its generation", keep));
  return generation;
}

Result<NftView> NftConnection::view(const NftTable& table, const NftQuestion& question) {
  std::vector<MsgPtr> gets;
  gets.push_back(make_message(NFT_MSG_GETTABLE, table.family, 0));
  put_text(gets.back().get(), NFTA_TABLE_NAME, table.name);
  for (const std::string& chain : question.chains) gets.push_back(make_chain_get(table, chain));
  for (const std::string& map : question.maps) {
    gets.push_back(make_message(NFT_MSG_GETSET, table.family, 0));
    put_text(gets.back().get(), NFTA_SET_TABLE, table.name);
    put_text(gets.back().get(), NFTA_SET_NAME, map);
  }
  gets.push_back(make_rule_dump(table, question.rules_of));
  std::vector<nl_msg*> messages;
  for (const MsgPtr& get : gets) messages.push_back(get.get());
  NftView view;
  const auto keep = [&](nlmsghdr& answer) {
    const int type = answer.nlmsg_type & 0xFF;
    if (type == NFT_MSG_NEWTABLE) view.table = parse_table(answer);
    if (type == NFT_MSG_NEWCHAIN) {
      if (auto chain = parse_chain(answer, table)) view.chains.push_back(*std::move(chain));
    }
    if (type == NFT_MSG_NEWSET) view.maps.push_back(parse_map(answer));
    if (type == NFT_MSG_NEWRULE) view.rules.push_back(nft::parse_rule(answer, table.family));
  };
  CNIO_TRY(netlink_.query_together(messages, "look at table " + table.name, keep, [&] { view = NftView(); }));
  return view;
}

Result<std::optional<NftTableInfo>> NftConnection::find_table(const NftTable& table) {
  const MsgPtr message = make_message(NFT_MSG_GETTABLE, table.family, 0);
  put_text(message.get(), NFTA_TABLE_NAME, table.name);
  std::optional<NftTableInfo> found;
  const auto keep = [&](nlmsghdr& answer) { found = parse_table(answer); };
  CNIO_TRY(look_up(netlink_, message.get(), "look for table " + table.name, keep));
  return found;
}

namespace {

Result<std::vector<NftTableChain>> list_all_chains(Netlink& netlink, bool only_base) {
  const MsgPtr message = make_message(NFT_MSG_GETCHAIN, NftFamily::kInet, NLM_F_DUMP);
  static_cast<nfgenmsg*>(nlmsg_data(nlmsg_hdr(message.get())))->nfgen_family = NFPROTO_UNSPEC;
  std::vector<NftTableChain> chains;
  const auto keep = [&](nlmsghdr& answer) {
    if (nlmsg_datalen(&answer) < static_cast<int>(sizeof(nfgenmsg))) return;
    const auto family = nft::family_of(static_cast<nfgenmsg*>(nlmsg_data(&answer))->nfgen_family);
    const Attributes<NFTA_CHAIN_MAX> attributes(answer);
    if (!family || attributes.at[NFTA_CHAIN_TABLE] == nullptr) return;
    // Nearly all that the kernel tells of are pods' chains.
    if (only_base && attributes.at[NFTA_CHAIN_HOOK] == nullptr) return;
    const NftTable table = {*family, text_of(attributes.at[NFTA_CHAIN_TABLE])};
    auto chain = parse_chain(answer, table);
    if (chain && (chain->hook || !only_base)) chains.push_back({table, *std::move(chain)});
  };
  CNIO_TRY(netlink.query(message.get(), "list the chains of all tables", keep, [&] { chains.clear(); }));
  return chains;
}

}  // namespace

Result<std::vector<NftTableChain>> NftConnection::list_base_chains() { return list_all_chains(netlink_, true); }
Result<std::vector<NftTableChain>> NftConnection::list_chains() { return list_all_chains(netlink_, false); }

Result<std::optional<NftChain>> NftConnection::find_chain(const NftTable& table, const std::string& chain) {
  const MsgPtr message = make_chain_get(table, chain);
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
  const MsgPtr message = make_rule_dump(table, chain);
  std::vector<NftRule> rules;
  const std::string operation = "list rules of " + (chain.empty() ? "table " + table.name : "chain " + chain);
  CNIO_TRY(netlink_.query(
      message.get(), operation, [&](nlmsghdr& answer) { rules.push_back(nft::parse_rule(answer, table.family)); },
      [&] { rules.clear(); }));
  return rules;
}

Result<std::vector<NftRule>> NftConnection::list_rules(const NftTable& table) { return list_rules(table, {}); }

Result<std::optional<std::string>> NftConnection::find_goto(const NftTable& table, const std::string& map,
                                                            const IpAddr& key) {
  const MsgPtr message = make_message(NFT_MSG_GETSETELEM, table.family, 0);
  put_text(message.get(), NFTA_SET_ELEM_LIST_TABLE, table.name);
  put_text(message.get(), NFTA_SET_ELEM_LIST_SET, map);
  nft::put_element(message.get(), NFTA_SET_ELEM_LIST_ELEMENTS, key, nullptr);
  std::optional<std::string> chain;
  const std::string operation = "look for " + key.to_string() + " in map " + map;
  CNIO_TRY(look_up(netlink_, message.get(), operation, [&](nlmsghdr& answer) {
    for_each_element(answer, [&](const VerdictElement& element) { chain = element.chain; });
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
    for_each_element(answer, [&](const VerdictElement& element) {
      if (element.chain == chain) keys.push_back(element.key);
    });
  };
  const auto status = netlink_.query(message.get(), "list elements of map " + map, keep, [&] { keys.clear(); });
  if (!status.ok() && status.error().errnum() != ENOENT) return status.error();
  return keys;
}

}  // namespace cnio::net
