// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/filter.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstddef>
#include <cstring>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/tc_act/tc_mirred.h>

#include "net/traffic.hpp"

namespace cnio::net {
namespace {

constexpr int kMaxActions = 32;               // the kernel's TCA_ACT_MAX_PRIO
constexpr uint32_t kFirstClass = 0x00010001;  // "1:1": says nothing, and makes u32 take the packet

// What u32 looks at, which ends in an array of keys: with one that every packet has.
using U32Selector = std::array<char, sizeof(tc_u32_sel) + sizeof(tc_u32_key)>;

bool matches_every_packet(const nlattr* selector) {
  if (nla_len(selector) != static_cast<int>(sizeof(U32Selector))) return false;
  const auto bytes = value_of<U32Selector>(selector);
  tc_u32_key key{};
  std::memcpy(&key, bytes.data() + sizeof(tc_u32_sel), sizeof key);
  return bytes[offsetof(tc_u32_sel, nkeys)] == 1 && key.mask == 0 && key.val == 0;
}

U32Selector every_packet() {
  U32Selector selector{};
  selector[offsetof(tc_u32_sel, flags)] = TC_U32_TERMINAL;
  selector[offsetof(tc_u32_sel, nkeys)] = 1;
  return selector;
}

void parse_action(nlattr* action, Filter& filter) {
  nlattr* at[TCA_ACT_MAX + 1] = {};
  nlattr* mirred[TCA_MIRRED_MAX + 1] = {};
  if (nla_parse_nested(at, TCA_ACT_MAX, action, nullptr) < 0 || at[TCA_ACT_KIND] == nullptr ||
      text_of(at[TCA_ACT_KIND]) != "mirred" || at[TCA_ACT_OPTIONS] == nullptr ||
      nla_parse_nested(mirred, TCA_MIRRED_MAX, at[TCA_ACT_OPTIONS], nullptr) < 0 ||
      mirred[TCA_MIRRED_PARMS] == nullptr) {
    return;
  }
  const auto parameters = value_of<tc_mirred>(mirred[TCA_MIRRED_PARMS]);
  if (parameters.eaction == TCA_EGRESS_REDIR) {
    filter.redirects.push_back(IfIndex{static_cast<int>(parameters.ifindex)});
  }
}

void parse_u32(nlattr* options, Filter& filter) {
  nlattr* at[TCA_U32_MAX + 1] = {};
  if (nla_parse_nested(at, TCA_U32_MAX, options, nullptr) < 0) return;
  filter.every_packet = at[TCA_U32_SEL] != nullptr && matches_every_packet(at[TCA_U32_SEL]);
  if (at[TCA_U32_ACT] == nullptr) return;
  nlattr* actions[kMaxActions + 1] = {};
  if (nla_parse_nested(actions, kMaxActions, at[TCA_U32_ACT], nullptr) < 0) return;
  for (nlattr* action : actions) {
    if (action != nullptr) parse_action(action, filter);
  }
}

// u32 keeps its filters in tables, of which the kernel tells as if they were such.
bool is_table(const Filter& filter) { return filter.kind == "u32" && TC_U32_NODE(filter.handle) == 0; }

std::optional<Filter> parse_filter(nlmsghdr& header) {
  nlattr* at[TCA_MAX + 1] = {};
  if (header.nlmsg_type != RTM_NEWTFILTER || nlmsg_parse(&header, sizeof(tcmsg), at, TCA_MAX, nullptr) < 0 ||
      at[TCA_KIND] == nullptr) {
    return std::nullopt;
  }
  const auto* about = static_cast<const tcmsg*>(nlmsg_data(&header));
  Filter filter;
  filter.parent = about->tcm_parent;
  filter.preference = static_cast<uint16_t>(TC_H_MAJ(about->tcm_info) >> 16U);
  filter.protocol = ntohs(static_cast<uint16_t>(TC_H_MIN(about->tcm_info)));
  filter.handle = about->tcm_handle;
  filter.kind = text_of(at[TCA_KIND]);
  // A classifier is told of before its filters, without options.
  if (at[TCA_OPTIONS] == nullptr || is_table(filter)) return std::nullopt;
  if (filter.kind == "u32") parse_u32(at[TCA_OPTIONS], filter);
  return filter;
}

uint32_t info_of(uint16_t preference, uint16_t protocol) {
  return TC_H_MAKE(static_cast<uint32_t>(preference) << 16U, htons(protocol));
}

void put_redirect(nl_msg* message, IfIndex to) {
  tc_mirred parameters{};
  parameters.action = TC_ACT_STOLEN;
  parameters.eaction = TCA_EGRESS_REDIR;
  parameters.ifindex = static_cast<uint32_t>(to);
  nlattr* actions = checked(nla_nest_start(message, TCA_U32_ACT));
  nlattr* first = checked(nla_nest_start(message, 1));
  must(nla_put_string(message, TCA_ACT_KIND, "mirred"));
  nlattr* options = checked(nla_nest_start(message, TCA_ACT_OPTIONS));
  must(nla_put(message, TCA_MIRRED_PARMS, sizeof parameters, &parameters));
  nla_nest_end(message, options);
  nla_nest_end(message, first);
  nla_nest_end(message, actions);
}

}  // namespace

TcHandle filters_of(const Qdisc& ingress) { return ingress.kind == "clsact" ? kFiltersOfClsact : kFiltersOfIngress; }

bool Filter::redirects_to(IfIndex link) const {
  return std::find(redirects.begin(), redirects.end(), link) != redirects.end();
}

Result<std::vector<Filter>> list_filters(Netlink& route, const Link& link, TcHandle parent) {
  const MsgPtr message = traffic_message(RTM_GETTFILTER, NLM_F_DUMP, link.index, parent);
  std::vector<Filter> filters;
  const auto add = [&](nlmsghdr& answer) {
    if (auto filter = parse_filter(answer)) filters.push_back(*std::move(filter));
  };
  const Status listed = route.query(message.get(), "list the filters of " + link.name, add, [&] { filters.clear(); });
  if (!listed.ok() && !is_gone(listed.error())) return listed.error();
  return filters;
}

Status add_redirect(Netlink& route, const Link& link, const RedirectSpec& spec) {
  const MsgPtr message = traffic_message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, link.index, spec.parent, 0,
                                         info_of(spec.preference, ETH_P_ALL));
  must(nla_put_string(message.get(), TCA_KIND, "u32"));
  nlattr* options = checked(nla_nest_start(message.get(), TCA_OPTIONS));
  const U32Selector selector = every_packet();
  must(nla_put_u32(message.get(), TCA_U32_CLASSID, kFirstClass));
  must(nla_put(message.get(), TCA_U32_SEL, sizeof selector, selector.data()));
  put_redirect(message.get(), spec.to);
  nla_nest_end(message.get(), options);
  return route.request(message.get(), "redirect what " + link.name + " receives");
}

namespace {

Status remove(Netlink& route, const Link& link, const Filter& filter, uint32_t handle) {
  const MsgPtr message = traffic_message(RTM_DELTFILTER, 0, link.index, filter.parent, handle,
                                         info_of(filter.preference, filter.protocol));
  must(nla_put_string(message.get(), TCA_KIND, filter.kind.c_str()));
  Status removed = route.request(message.get(), "remove a filter of " + link.name);
  if (!removed.ok() && is_gone(removed.error())) return {};
  return removed;
}

}  // namespace

Status remove_all_like(Netlink& route, const Link& link, const Filter& filter) {
  return remove(route, link, filter, 0);
}

Status remove_filter(Netlink& route, const Link& link, const Filter& filter) {
  return remove(route, link, filter, filter.handle);
}

}  // namespace cnio::net
