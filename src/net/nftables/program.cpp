// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Rules as programs: written and read step by step, as they are.
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "cnio/net/nftables/nftables.hpp"

#include "net/nftables/message.hpp"

namespace cnio::net {
namespace {

constexpr uint8_t kRuleNote = 0xC1;  // far from those that it gives: what has another number is passed over

NftExpression parse_expression(nlattr* expression) {
  nlattr* at[NFTA_EXPR_MAX + 1] = {};
  nla_parse_nested(at, NFTA_EXPR_MAX, expression, nullptr);
  NftExpression parsed;
  if (at[NFTA_EXPR_NAME] != nullptr) parsed.name = text_of(at[NFTA_EXPR_NAME]);
  if (at[NFTA_EXPR_DATA] != nullptr) parsed.attributes = nft::bytes_in(at[NFTA_EXPR_DATA]);
  return parsed;
}

NftProgramRule parse_program(nlmsghdr& message, NftFamily family) {
  const NftRule rule = nft::parse_rule(message, family);
  NftProgramRule parsed = {rule.chain, rule.handle, {}, rule.comment, {}};
  const nlattr* userdata = nlmsg_find_attr(&message, sizeof(nfgenmsg), NFTA_RULE_USERDATA);
  if (userdata != nullptr) parsed.note = nft::find_text(userdata, kRuleNote);
  nlattr* expressions = nlmsg_find_attr(&message, sizeof(nfgenmsg), NFTA_RULE_EXPRESSIONS);
  if (expressions == nullptr) return parsed;
  nlattr* expression = nullptr;
  int remaining = 0;
  nla_for_each_nested(expression, expressions, remaining) {
    parsed.program.steps.push_back(parse_expression(expression));
  }
  return parsed;
}

}  // namespace

nl_msg* NftBatch::add_program(uint16_t flags, const std::string& chain, const NftProgram& program) {
  nl_msg* message = add(NFT_MSG_NEWRULE, NLM_F_CREATE | flags, "add a rule to chain " + chain);
  nft::put_text(message, NFTA_RULE_TABLE, table_.name);
  nft::put_text(message, NFTA_RULE_CHAIN, chain);
  nft::put_nest(message, NFTA_RULE_EXPRESSIONS, [&] {
    for (const NftExpression& step : program.steps) {
      nft::put_nest(message, NFTA_LIST_ELEM, [&] {
        nft::put_text(message, NFTA_EXPR_NAME, step.name);
        nft::put_bytes(message, NFTA_EXPR_DATA | NLA_F_NESTED, step.attributes);
      });
    }
  });
  if (program.xtables_protocol != 0) {
    nft::put_nest(message, NFTA_RULE_COMPAT, [&] {
      nft::put_u32(message, NFTA_RULE_COMPAT_PROTO, program.xtables_protocol);
      nft::put_u32(message, NFTA_RULE_COMPAT_FLAGS, 0);
    });
  }
  return message;
}

void NftBatch::append_program(const std::string& chain, const NftProgram& program, std::string_view comment) {
  nft::put_comment(add_program(NLM_F_APPEND, chain, program), NFTA_RULE_USERDATA, nft::kRuleComment, comment);
}

void NftBatch::insert_program(const std::string& chain, const NftProgram& program, std::string_view comment) {
  nft::put_comment(add_program(0, chain, program), NFTA_RULE_USERDATA, nft::kRuleComment, comment);
}

void NftBatch::append_noted(const std::string& chain, const NftProgram& program, std::string_view note) {
  nft::put_comment(add_program(NLM_F_APPEND, chain, program), NFTA_RULE_USERDATA, kRuleNote, note);
}

void NftBatch::insert_noted(const std::string& chain, const NftProgram& program, std::string_view note) {
  nft::put_comment(add_program(0, chain, program), NFTA_RULE_USERDATA, kRuleNote, note);
}

Result<std::vector<NftProgramRule>> NftConnection::list_programs(const NftTable& table, const std::string& chain) {
  const MsgPtr message = nft::make_rule_dump(table, chain);
  std::vector<NftProgramRule> rules;
  const std::string operation = "list rules of " + (chain.empty() ? "table " + table.name : "chain " + chain);
  CNIO_TRY(netlink_.query(
      message.get(), operation, [&](nlmsghdr& answer) { rules.push_back(parse_program(answer, table.family)); },
      [&] { rules.clear(); }));
  return rules;
}

}  // namespace cnio::net
