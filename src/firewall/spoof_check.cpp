// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/spoof_check.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/netlink.h>
#include <optional>
#include <set>

#include "cnio/base/error_list.hpp"
#include "cnio/base/sha512.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/nftables/nftables.hpp"

#include "firewall/masquerade_names.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;
using net::NftRule;
using protocol::Attachment;

const net::NftTable kTable = {net::NftFamily::kBridge, "nat"};
const net::NftBaseChain kPrerouting = {"PREROUTING", net::NftBaseChain::Hook::kBridgePrerouting, -300 /* dstnat */};
const std::string kChainPrefix = "cni-br-iface-";
const std::string kMacSuffix = "-mac";
// The kernel takes 255 bytes for a chain's name: what would be longer, or read like the name of a second chain, is
// hashed.
constexpr size_t kMaxReference = 230;

// Whoever else works in this table made what is there without this comment, and keeps it.
constexpr std::string_view kOurs = "made for the spoof check of the cnio CNI plugins, goes with its last rule";

constexpr std::string_view kNeeds =
    "the spoof check needs nf_tables for bridges: kernel modules nf_tables and nft_meta_bridge";

// What chains and comments are called after: the reference leaves the network out.
std::string reference_of(const Attachment& attachment) {
  std::string text = attachment.container_id + "-" + attachment.ifname;
  const bool plain = text.size() <= kMaxReference && !attachment.ifname.ends_with(kMacSuffix);
  return plain ? text : sha512_hex(text, 64);
}

std::string port_chain(const Attachment& attachment) { return kChainPrefix + reference_of(attachment); }

std::string comment_of(const Attachment& attachment) {
  return ("macspoofchk-" + reference_of(attachment)).substr(0, net::kNftCommentLimit);
}

struct Rules {
  NftRule entry;                 // of the base chain
  std::vector<NftRule> on_port;  // of the port's chain
  std::vector<NftRule> on_mac;   // of the chain behind it
};

NftRule make_rule(NftRule::Action action, std::string target = {}) {
  NftRule rule;
  rule.action = action;
  rule.target = std::move(target);
  return rule;
}

Rules rules_of(const SpoofCheckSpec& spec) {
  const std::string chain = port_chain(spec.attachment);
  Rules rules{.entry = make_rule(NftRule::Action::kJump, chain),
              .on_port = {make_rule(NftRule::Action::kJump, chain + kMacSuffix)},
              .on_mac = {make_rule(NftRule::Action::kReturn), make_rule(NftRule::Action::kDrop)}};
  rules.entry.input_interface = spec.port;
  rules.on_mac.front().source_mac = spec.mac;
  return rules;
}

bool is_jump_to(const NftRule& rule, const std::string& chain) {
  return rule.action == NftRule::Action::kJump && rule.target == chain;
}

Result<std::vector<NftRule>> entries_to(NftConnection& nft, const std::string& chain) {
  CNIO_LET(std::vector<NftRule> rules, nft.list_rules(kTable, kPrerouting.name));
  std::erase_if(rules, [&](const NftRule& rule) { return !is_jump_to(rule, chain); });
  return rules;
}

void fill(NftBatch& batch, const std::string& chain, const std::vector<NftRule>& rules, const std::string& comment) {
  batch.flush_chain(chain);
  for (NftRule rule : rules) {
    rule.comment = comment;
    batch.append_rule(chain, rule);
  }
}

std::vector<std::string> chains_of(const std::string& chain) { return {chain, chain + kMacSuffix}; }

// The chains of an attachment and the one that leads to them. Its rules are one for each attachment, and not looked at.
Result<net::NftView> view_attachment(NftConnection& nft, const std::string& chain) {
  return nft.view(kTable, {.chains = {kPrerouting.name, chain, chain + kMacSuffix}, .maps = {}, .rules_of = chain});
}

// Why frames do not get from there to the attachments' chains and on as they should, as a clause; empty if they do, or
// if there is nothing yet.
std::string fault_of_entry(const net::NftView& view) {
  if (view.table && view.table->dormant) return "table bridge nat is dormant, so the kernel ignores it";
  const net::NftChain* entry = view.find_chain(kPrerouting.name);
  if (entry == nullptr) return {};
  const std::string chain = "chain " + kPrerouting.name + " of table bridge nat ";
  if (const std::string mismatch = kPrerouting.mismatch(*entry); !mismatch.empty()) return chain + mismatch;
  return entry->hook->accepts ? std::string() : chain + "drops by policy";
}

// The table is shared with users and other programs: it is not woken up or rewritten under them.
Status check_not_in_the_way(const net::NftView& view) {
  std::string fault = fault_of_entry(view);
  if (view.table && view.table->owner) {
    fault = "table bridge nat belongs to the program with netlink port " + std::to_string(*view.table->owner) +
            ", which alone may change it";
  }
  for (const net::NftChain& chain : view.chains) {
    if (chain.name != kPrerouting.name && chain.hook) fault = "chain " + chain.name + " is a base chain";
  }
  if (fault.empty()) return {};
  return Error::make(Code::kConflict, "the spoof check cannot be installed: " + fault,
                     "nft list table bridge nat shows what there is, which is left as it is because others may rely on "
                     "it; it has to be active, with chain PREROUTING of type filter at hook prerouting, priority -300, "
                     "policy accept, or without that chain");
}

Status install_once(NftConnection& nft, const SpoofCheckSpec& spec) {
  const std::string chain = port_chain(spec.attachment);
  const std::string comment = comment_of(spec.attachment);
  Rules rules = rules_of(spec);
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const net::NftView view, view_attachment(nft, chain));
  CNIO_TRY(check_not_in_the_way(view));
  NftBatch batch(kTable, generation);
  batch.ensure_table(kOurs);
  if (view.find_chain(kPrerouting.name) == nullptr) batch.ensure_base_chain(kPrerouting, kOurs);
  const std::string owner =
      reference_prefix({spec.network, spec.attachment}) + ", " + readable_identity({spec.network, spec.attachment});
  for (const std::string& each : chains_of(chain)) batch.ensure_chain(each, owner);
  if (view.find_chain(chain) != nullptr) {
    CNIO_LET(const std::vector<NftRule> stale, entries_to(nft, chain));
    for (const NftRule& rule : stale) batch.delete_rule(kPrerouting.name, rule.handle);
  }
  fill(batch, chain, rules.on_port, comment);
  fill(batch, chain + kMacSuffix, rules.on_mac, comment);
  rules.entry.comment = comment;
  batch.append_rule(kPrerouting.name, rules.entry);
  return nft.commit(batch, "install the spoof check");
}

// How an attachment's chains are got rid of: each way is for when the one before it is refused (errno EBUSY).
enum class Way {
  kWithTable,  // and what was made for all of them, if nothing is left in it
  kAlone,
  kEmptyOnly,  // a rule of somebody else leads to them: they stay, without rules
};

// Removes exactly what is ours, by name.
Status remove_once(NftConnection& nft, const std::string& chain, Way way) {
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const net::NftView view, nft.view(kTable, {.chains = {kPrerouting.name, chain, chain + kMacSuffix},
                                                      .maps = {},
                                                      .rules_of = kPrerouting.name}));
  std::vector<std::string> present;
  for (const std::string& each : chains_of(chain)) {
    if (view.find_chain(each) != nullptr) present.push_back(each);
  }
  if (present.empty()) return {};
  NftBatch batch(kTable, generation);
  bool last = true;
  for (const NftRule& rule : view.rules) {
    if (!is_jump_to(rule, chain)) last = false;
    if (is_jump_to(rule, chain)) batch.delete_rule(kPrerouting.name, rule.handle);
  }
  // One leads to the other.
  for (const std::string& each : present) batch.flush_chain(each);
  if (way != Way::kEmptyOnly) {
    for (const std::string& each : present) batch.delete_chain(each);
  }
  const net::NftChain* entry = view.find_chain(kPrerouting.name);
  if (way == Way::kWithTable && last && entry != nullptr && entry->comment == kOurs) {
    batch.delete_chain(kPrerouting.name);
    const bool alone = view.table && view.table->comment == kOurs && view.table->use == present.size() + 1;
    if (alone) batch.delete_empty_table();
  }
  return nft.commit(batch, "remove the spoof check");
}

// Tells why the chains stay, without doing anything any more, if they do.
Result<std::optional<Error>> take_away(NftConnection& nft, const std::string& chain) {
  Way way = Way::kWithTable;
  std::optional<Error> stays;
  CNIO_TRY(net::retry_while_changing([&] {
    Status status = remove_once(nft, chain, way);
    if (!status.ok() && status.error().errnum() == EBUSY) {
      if (way == Way::kAlone) stays = status.error();
      way = way == Way::kWithTable ? Way::kAlone : Way::kEmptyOnly;
    }
    return status;
  }));
  return stays;
}

Status remove_chains(NftConnection& nft, const std::string& chain) {
  CNIO_TRY(take_away(nft, chain));
  return {};
}

Error differs(const SpoofCheckSpec& spec, const std::string& expected, const std::string& found) {
  return Error::make(Code::kCheckFailed, "spoof check of " + spec.port + ": expected " + expected + ", found " + found,
                     "nft list table bridge " + kTable.name + " shows what there is");
}

bool equal_in_effect(const std::vector<NftRule>& a, const std::vector<NftRule>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const NftRule& x, const NftRule& y) { return x.same_effect(y); });
}

// Does a rule in front of the entry surely keep the port's frames from it?
bool is_bypassed(const std::vector<NftRule>& rules, const NftRule& entry) {
  for (const NftRule& rule : rules) {
    if (rule.same_effect(entry)) return false;
    NftRule for_all = rule;
    if (rule.input_interface == entry.input_interface) for_all.input_interface.clear();
    for (const auto action : {NftRule::Action::kAccept, NftRule::Action::kReturn}) {
      if (for_all.same_effect(make_rule(action))) return true;
    }
  }
  return false;
}

// Of a chain with a comment.
bool belongs_to(const net::NftChain& chain, const std::string& network) {
  return chain.comment.starts_with(reference_network_prefix(network));
}

// No rule leads there from a port that exists.
Result<bool> is_dead(NftConnection& nft, net::Netlink& route, const std::string& chain) {
  CNIO_LET(const std::vector<NftRule> entries, entries_to(nft, chain));
  for (const NftRule& rule : entries) {
    if (rule.input_interface.empty()) return false;
    CNIO_LET(const auto port, net::find_link(route, rule.input_interface));
    if (port) return false;
  }
  return true;
}

}  // namespace

Status require_spoof_check() {
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  CNIO_LET(const net::NftView view,
           nft.view(kTable, {.chains = {kPrerouting.name}, .maps = {}, .rules_of = kPrerouting.name}));
  CNIO_TRY(check_not_in_the_way(view));
  if (!view.chains.empty()) return {};
  NftBatch batch(kTable);
  batch.ensure_table({});
  batch.ensure_base_chain(kPrerouting);
  NftRule rule = make_rule(NftRule::Action::kDrop);
  rule.input_interface = "none";
  rule.source_mac = MacAddr();
  batch.append_rule(kPrerouting.name, rule);
  Status status = NftConnection::rehearse(batch, "try whether the spoof check could be installed");
  if (!status.ok()) return std::move(status).error().hint(kNeeds);
  return {};
}

Status install_spoof_check(const SpoofCheckSpec& spec, Rollback& undo) {
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  // Before: it may be done although its answer is lost.
  undo.add("remove the spoof check", [chain = port_chain(spec.attachment)]() -> Status {
    CNIO_LET(NftConnection again, NftConnection::require(kNeeds));
    return remove_chains(again, chain);
  });
  Status status = net::retry_while_changing([&] { return install_once(nft, spec); });
  if (!status.ok() && status.error().code() == Code::kKernel) return std::move(status).error().hint(kNeeds);
  return status;
}

Status remove_spoof_check(NftConnection& nft, const std::string& network, const Attachment& attachment) {
  const std::string name = port_chain(attachment);
  CNIO_LET(const net::NftView view, view_attachment(nft, name));
  const net::NftChain* chain = view.find_chain(name);
  const bool none = chain == nullptr && view.find_chain(name + kMacSuffix) == nullptr;
  const bool foreign = chain != nullptr && !chain->comment.empty() && !belongs_to(*chain, network);
  return none || foreign ? Status() : remove_chains(nft, name);
}

Status check_spoof_check(const SpoofCheckSpec& spec) {
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  const std::string chain = port_chain(spec.attachment);
  const Rules wanted = rules_of(spec);
  CNIO_LET(const net::NftView view,
           nft.view(kTable, {.chains = {kPrerouting.name}, .maps = {}, .rules_of = kPrerouting.name}));
  if (const std::string fault = fault_of_entry(view); !fault.empty()) return differs(spec, "rules at work", fault);
  std::vector<NftRule> entries = view.rules;
  std::erase_if(entries, [&](const NftRule& rule) { return !is_jump_to(rule, chain); });
  if (entries.empty()) return differs(spec, "a rule in chain " + kPrerouting.name + " that leads to " + chain, "none");
  if (std::none_of(entries.begin(), entries.end(), [&](const auto& rule) { return rule.same_effect(wanted.entry); })) {
    return differs(spec, "the rule to " + chain + " for this port", "it for " + quote(entries.front().input_interface));
  }
  if (is_bypassed(view.rules, wanted.entry)) {
    return differs(spec, "all frames of this port to come to chain " + chain,
                   "a rule in front of it, in chain " + kPrerouting.name + ", that lets them pass");
  }
  CNIO_LET(const std::vector<NftRule> on_port, nft.list_rules(kTable, chain));
  if (!equal_in_effect(on_port, wanted.on_port)) return differs(spec, "one jump in chain " + chain, "other rules");
  CNIO_LET(const std::vector<NftRule> on_mac, nft.list_rules(kTable, chain + kMacSuffix));
  if (equal_in_effect(on_mac, wanted.on_mac)) return {};
  const bool other_mac = on_mac.size() == 2 && on_mac.front().source_mac;
  return differs(spec, "frames from " + spec.mac.to_string() + " alone to pass chain " + chain + kMacSuffix,
                 other_mac ? "those from " + on_mac.front().source_mac->to_string() : "other rules");
}

Status collect_spoof_check_garbage(const std::string& network, const std::vector<Attachment>& valid) {
  CNIO_LET(auto nft, NftConnection::open());
  if (!nft) return {};
  std::set<std::string> keep;
  for (const Attachment& attachment : valid) keep.insert(port_chain(attachment));
  CNIO_LET(const std::vector<net::NftChain> chains, nft->list_chains(kTable));
  if (chains.empty()) return {};
  CNIO_LET(net::Netlink route, net::Netlink::open(NETLINK_ROUTE));
  ErrorList errors;
  std::set<std::string> seen;
  for (const net::NftChain& each : chains) {
    if (!each.name.starts_with(kChainPrefix)) continue;
    const bool second = each.name.ends_with(kMacSuffix);
    const std::string chain = second ? each.name.substr(0, each.name.size() - kMacSuffix.size()) : each.name;
    if (keep.contains(chain) || !seen.insert(chain).second) continue;
    const Result<bool> stale =
        each.comment.empty() ? is_dead(*nft, route, chain) : Result<bool>(belongs_to(each, network));
    if (!stale.ok()) {
      errors.collect(stale.error());
    } else if (stale.value()) {
      const auto stays = take_away(*nft, chain);
      const std::string step = "remove chain " + chain;
      if (!stays.ok()) errors.collect(Error(stays.error()).context(step));
      if (stays.ok() && stays.value()) errors.collect(Error(*stays.value()).context(step));
    }
  }
  return errors.status();
}

}  // namespace cnio::firewall
