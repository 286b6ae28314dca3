// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/rule.hpp"

#include <array>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "net/nl_ptr.hpp"

namespace cnio::net {
namespace {

// What a rule that looks at more than the source has. 0xffffffff of a suppressed prefix length suppresses nothing.
bool is_narrowed(const fib_rule_hdr& header, nlattr* const* at) {
  static constexpr std::array kSelectors = {FRA_DST,    FRA_IIFNAME,     FRA_OIFNAME,     FRA_FWMARK,   FRA_IP_PROTO,
                                            FRA_TUN_ID, FRA_SPORT_RANGE, FRA_DPORT_RANGE, FRA_UID_RANGE};
  for (const int selector : kSelectors) {
    if (at[selector] != nullptr) return true;
  }
  const auto suppresses = [&](int attribute) {
    return at[attribute] != nullptr && value_of<uint32_t>(at[attribute]) != UINT32_MAX;
  };
  return header.tos != 0 || (header.flags & FIB_RULE_INVERT) != 0 || suppresses(FRA_SUPPRESS_PREFIXLEN) ||
         suppresses(FRA_SUPPRESS_IFGROUP);
}

std::optional<Rule> parse_rule(nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWRULE) return std::nullopt;
  nlattr* at[FRA_DPORT_RANGE + 1] = {};
  if (nlmsg_parse(&message, sizeof(fib_rule_hdr), at, FRA_DPORT_RANGE, nullptr) < 0) return std::nullopt;
  const auto* header = static_cast<const fib_rule_hdr*>(nlmsg_data(&message));
  if (header->action != FR_ACT_TO_TBL || is_narrowed(*header, at)) return std::nullopt;
  Rule rule;
  if (at[FRA_SRC] != nullptr) rule.source = Cidr{to_ip(at[FRA_SRC]), header->src_len};
  rule.table = at[FRA_TABLE] != nullptr ? value_of<uint32_t>(at[FRA_TABLE]) : header->table;
  if (at[FRA_L3MDEV] != nullptr && value_of<uint8_t>(at[FRA_L3MDEV]) != 0) rule.table = RT_TABLE_UNSPEC;
  return rule;
}

}  // namespace

Result<std::vector<Rule>> list_rules(Netlink& route, Family family) {
  const MsgPtr message(checked(nlmsg_alloc_simple(RTM_GETRULE, NLM_F_DUMP)));
  fib_rule_hdr about{};
  about.family = static_cast<uint8_t>(af_of(family));
  must(nlmsg_append(message.get(), &about, sizeof about, NLMSG_ALIGNTO));
  std::vector<Rule> rules;
  const auto add = [&](nlmsghdr& answer) {
    if (const auto rule = parse_rule(answer)) rules.push_back(*rule);
  };
  const Status listed = route.query(message.get(), "list routing rules", add, [&] { rules.clear(); });
  // A kernel without rules, or without this family.
  if (!listed.ok() && listed.error().errnum() != EAFNOSUPPORT && listed.error().errnum() != EOPNOTSUPP) {
    return listed.error();
  }
  return rules;
}

}  // namespace cnio::net
