// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/spoof_check.hpp"

#include <algorithm>
#include <optional>

#include "cnio/net/nftables/nftables.hpp"

#include "firewall/masquerade_names.hpp"
#include "firewall/spoof_check_chains.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;
using net::NftRule;

constexpr std::string_view kNeeds =
    "the spoof check needs nf_tables for bridges: kernel modules nf_tables and nft_meta_bridge";

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

void fill(NftBatch& batch, const std::string& chain, const std::vector<NftRule>& rules, const std::string& comment) {
  batch.flush_chain(chain);
  for (NftRule rule : rules) {
    rule.comment = comment;
    batch.append_rule(chain, rule);
  }
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
  NftBatch batch(kSpoofCheckTable, generation);
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

Error differs(const SpoofCheckSpec& spec, const std::string& expected, const std::string& found) {
  return Error::make(Code::kCheckFailed, "spoof check of " + spec.port + ": expected " + expected + ", found " + found,
                     "nft list table bridge " + kSpoofCheckTable.name + " shows what there is");
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

}  // namespace

Status require_spoof_check() {
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  CNIO_LET(const net::NftView view,
           nft.view(kSpoofCheckTable, {.chains = {kPrerouting.name}, .maps = {}, .rules_of = kPrerouting.name}));
  CNIO_TRY(check_not_in_the_way(view));
  if (!view.chains.empty()) return {};
  NftBatch batch(kSpoofCheckTable);
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
    return remove_spoof_check_chains(again, chain);
  });
  Status status = net::retry_while_changing([&] { return install_once(nft, spec); });
  if (!status.ok() && status.error().code() == Code::kKernel) return std::move(status).error().hint(kNeeds);
  return status;
}

Status check_spoof_check(const SpoofCheckSpec& spec) {
  CNIO_LET(NftConnection nft, NftConnection::require(kNeeds));
  const std::string chain = port_chain(spec.attachment);
  const Rules wanted = rules_of(spec);
  CNIO_LET(const net::NftView view,
           nft.view(kSpoofCheckTable, {.chains = {kPrerouting.name}, .maps = {}, .rules_of = kPrerouting.name}));
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
  CNIO_LET(const std::vector<NftRule> on_port, nft.list_rules(kSpoofCheckTable, chain));
  if (!equal_in_effect(on_port, wanted.on_port)) return differs(spec, "one jump in chain " + chain, "other rules");
  CNIO_LET(const std::vector<NftRule> on_mac, nft.list_rules(kSpoofCheckTable, chain + kMacSuffix));
  if (equal_in_effect(on_mac, wanted.on_mac)) return {};
  const bool other_mac = on_mac.size() == 2 && on_mac.front().source_mac;
  return differs(spec, "frames from " + spec.mac.to_string() + " alone to pass chain " + chain + kMacSuffix,
                 other_mac ? "those from " + on_mac.front().source_mac->to_string() : "other rules");
}

}  // namespace cnio::firewall
