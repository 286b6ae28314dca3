// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <iterator>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "cnio/net/netns.hpp"

#include "net/nftables/message.hpp"

namespace cnio::net {
namespace {

using nft::kRuleComment;
using nft::put_comment;
using nft::put_nest;
using nft::put_text;
using nft::put_u32;
using nft::put_u64;

// Numbers of libnftnl's user data (its udata.h): where the nft program looks for comments.
constexpr uint8_t kTableComment = 0;
constexpr uint8_t kChainComment = 0;

constexpr uint16_t kCreate = NLM_F_CREATE;

constexpr int kAttempts = 1000;
constexpr int kClashes = 10;

// The frame of a batch: not messages of nf_tables but of its carrier.
nl_msg* make_frame(int type) {
  nl_msg* message = checked(nlmsg_alloc());
  nlmsghdr* header = nlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, type, sizeof(nfgenmsg), NLM_F_REQUEST);
  auto* generic = static_cast<nfgenmsg*>(nlmsg_data(header));
  *generic = {AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)};
  return message;
}

bool removes(nl_msg* message) {
  const nlmsghdr* header = nlmsg_hdr(message);
  switch (NFNL_MSG_TYPE(header->nlmsg_type)) {
    case NFT_MSG_NEWRULE:
      return (header->nlmsg_flags & NLM_F_REPLACE) != 0;
    case NFT_MSG_DELTABLE:
    case NFT_MSG_DELCHAIN:
    case NFT_MSG_DELRULE:
    case NFT_MSG_DELSET:
    case NFT_MSG_DELSETELEM:
      return true;
    default:
      return false;
  }
}

}  // namespace

void NftBatch::Free::operator()(nl_msg* message) const { nlmsg_free(message); }
NftBatch::NftBatch(NftBatch&&) noexcept = default;
NftBatch& NftBatch::operator=(NftBatch&&) noexcept = default;
NftBatch::~NftBatch() = default;

NftBatch::NftBatch(NftTable table, std::optional<uint32_t> generation) : table_(std::move(table)) {
  messages_.emplace_back(make_frame(NFNL_MSG_BATCH_BEGIN));
  steps_.emplace_back();
  if (generation) put_u32(messages_.back().get(), NFNL_BATCH_GENID, *generation);
}

nl_msg* NftBatch::add(uint16_t type, uint16_t flags, std::string step) {
  messages_.emplace_back(nft::make_message(type, table_.family, flags).release());
  steps_.push_back(std::move(step));
  return messages_.back().get();
}

void NftBatch::ensure_table(std::string_view comment) {
  nl_msg* message = add(NFT_MSG_NEWTABLE, kCreate, "add table " + table_.name);
  put_text(message, NFTA_TABLE_NAME, table_.name);
  put_comment(message, NFTA_TABLE_USERDATA, kTableComment, comment);
}

void NftBatch::wake_table() {
  nl_msg* message = add(NFT_MSG_NEWTABLE, 0, "wake up table " + table_.name);
  put_text(message, NFTA_TABLE_NAME, table_.name);
  put_u32(message, NFTA_TABLE_FLAGS, 0);
}

void NftBatch::ensure_base_chain(const NftBaseChain& chain, std::string_view comment) {
  const nft::HookPlace place = nft::place_of(chain.hook);
  const std::string kind =
      std::string("type ").append(place.type).append(" at hook ").append(nft::name_of_hook(place.number));
  nl_msg* message = add(NFT_MSG_NEWCHAIN, kCreate, "add chain " + chain.name + " of " + kind);
  put_text(message, NFTA_CHAIN_TABLE, table_.name);
  put_text(message, NFTA_CHAIN_NAME, chain.name);
  put_text(message, NFTA_CHAIN_TYPE, place.type);
  put_nest(message, NFTA_CHAIN_HOOK, [&] {
    put_u32(message, NFTA_HOOK_HOOKNUM, place.number);
    put_u32(message, NFTA_HOOK_PRIORITY, static_cast<uint32_t>(chain.priority));
  });
  put_u32(message, NFTA_CHAIN_POLICY, NF_ACCEPT);
  put_comment(message, NFTA_CHAIN_USERDATA, kChainComment, comment);
}

void NftBatch::ensure_chain(const std::string& chain, std::string_view comment) { add_chain(kCreate, chain, comment); }

void NftBatch::create_chain(const std::string& chain, std::string_view comment) {
  add_chain(kCreate | NLM_F_EXCL, chain, comment);
}

void NftBatch::add_chain(uint16_t flags, const std::string& chain, std::string_view comment) {
  nl_msg* message = add(NFT_MSG_NEWCHAIN, flags, "add chain " + chain);
  put_text(message, NFTA_CHAIN_TABLE, table_.name);
  put_text(message, NFTA_CHAIN_NAME, chain);
  put_comment(message, NFTA_CHAIN_USERDATA, kChainComment, comment);
}

void NftBatch::ensure_verdict_map(const std::string& map, Family key, std::string_view comment) {
  const uint32_t type = key == Family::kIpv4 ? kNftTypeIpv4Address : kNftTypeIpv6Address;
  ensure_set({map, {type}, {}, true, std::string(comment)});
}

void NftBatch::flush_chain(const std::string& chain) {
  nl_msg* message = add(NFT_MSG_DELRULE, 0, "empty chain " + chain);
  put_text(message, NFTA_RULE_TABLE, table_.name);
  put_text(message, NFTA_RULE_CHAIN, chain);
}

nl_msg* NftBatch::add_rule(uint16_t flags, std::string step, const std::string& chain, const NftRule& rule) {
  nl_msg* message = add(NFT_MSG_NEWRULE, flags, std::move(step));
  put_text(message, NFTA_RULE_TABLE, table_.name);
  put_text(message, NFTA_RULE_CHAIN, chain);
  nft::put_expressions(message, rule);
  put_comment(message, NFTA_RULE_USERDATA, kRuleComment, rule.comment);
  return message;
}

void NftBatch::append_rule(const std::string& chain, const NftRule& rule) {
  add_rule(kCreate | NLM_F_APPEND, "add a rule to chain " + chain, chain, rule);
}

void NftBatch::replace_rule(const std::string& chain, uint64_t handle, const NftRule& rule) {
  const std::string step = "replace rule " + std::to_string(handle) + " of chain " + chain;
  put_u64(add_rule(NLM_F_REPLACE, step, chain, rule), NFTA_RULE_HANDLE, handle);
}

void NftBatch::add_goto(const std::string& map, const IpAddr& key, const std::string& chain) {
  nl_msg* message = add(NFT_MSG_NEWSETELEM, kCreate, "add " + key.to_string() + " to map " + map);
  put_text(message, NFTA_SET_ELEM_LIST_TABLE, table_.name);
  put_text(message, NFTA_SET_ELEM_LIST_SET, map);
  nft::put_element(message, NFTA_SET_ELEM_LIST_ELEMENTS, key, &chain);
}

void NftBatch::delete_rule(const std::string& chain, uint64_t handle) {
  nl_msg* message = add(NFT_MSG_DELRULE, 0, "delete rule " + std::to_string(handle) + " of chain " + chain);
  put_text(message, NFTA_RULE_TABLE, table_.name);
  put_text(message, NFTA_RULE_CHAIN, chain);
  put_u64(message, NFTA_RULE_HANDLE, handle);
}

void NftBatch::delete_element(const std::string& map, const IpAddr& key) {
  nl_msg* message = add(NFT_MSG_DELSETELEM, 0, "delete " + key.to_string() + " from map " + map);
  put_text(message, NFTA_SET_ELEM_LIST_TABLE, table_.name);
  put_text(message, NFTA_SET_ELEM_LIST_SET, map);
  nft::put_element(message, NFTA_SET_ELEM_LIST_ELEMENTS, key, nullptr);
}

void NftBatch::delete_chain(const std::string& chain) {
  nl_msg* message = add(NFT_MSG_DELCHAIN, 0, "delete chain " + chain);
  put_text(message, NFTA_CHAIN_TABLE, table_.name);
  put_text(message, NFTA_CHAIN_NAME, chain);
}

void NftBatch::delete_map(const std::string& map) {
  nl_msg* message = add(NFT_MSG_DELSET, 0, "delete map " + map);
  put_text(message, NFTA_SET_TABLE, table_.name);
  put_text(message, NFTA_SET_NAME, map);
}

void NftBatch::delete_empty_table() {
  nl_msg* message = add(NFT_MSG_DELTABLE, NLM_F_NONREC, "delete table " + table_.name);
  put_text(message, NFTA_TABLE_NAME, table_.name);
}

void NftBatch::delete_table() {
  put_text(add(NFT_MSG_DELTABLE, 0, "delete table " + table_.name), NFTA_TABLE_NAME, table_.name);
}

void NftBatch::join(NftBatch other) {
  std::move(other.messages_.begin() + 1, other.messages_.end(), std::back_inserter(messages_));
  std::move(other.steps_.begin() + 1, other.steps_.end(), std::back_inserter(steps_));
}

Status retry_while_changing(const std::function<Status()>& attempt) {
  int clashes = 0;
  for (int i = 0; i < kAttempts; ++i) {
    Status status = attempt();
    if (status.ok()) return status;
    const int errnum = status.error().errnum();
    const bool changed = errnum == ERESTART || status.error().code() == Code::kTryAgain;
    // Another's element where there was none a moment ago; if it stays, it is no race.
    const bool clashed = (errnum == EBUSY || errnum == EEXIST) && ++clashes < kClashes;
    if (!changed && !clashed) return status;
  }
  return Error::make(Code::kTryAgain, "the firewall's tables keep changing");
}

Status NftConnection::rehearse(const NftBatch& batch, std::string_view operation) {
  return Namespace::run_in_new([&]() -> Status {
    CNIO_LET(NftConnection elsewhere, require({}));
    return elsewhere.commit(batch, operation);
  });
}

Status NftConnection::commit(const NftBatch& batch, std::string_view operation) {
  const NftBatch::Message end(make_frame(NFNL_MSG_BATCH_END));
  std::vector<nl_msg*> messages;
  for (const NftBatch::Message& message : batch.messages_) messages.push_back(message.get());
  if (batch.empty()) return {};  // nothing but the frame
  // Only the last change is acknowledged: the end of a batch is not, before Linux 6.10.
  nlmsg_hdr(messages.back())->nlmsg_flags |= NLM_F_ACK;
  messages.push_back(end.get());
  Status done = netlink_.transact(messages, operation, batch.steps_);
  if (done.ok() && std::any_of(messages.begin(), messages.end(), removes)) closes_slowly_ = true;
  return done;
}

}  // namespace cnio::net
