// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/masquerade_shared.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace cnio::firewall {

const net::NftTable kMasqueradeTable = {net::NftFamily::kInet, "cnio_masquerade"};
const net::NftBaseChain kMasqueradeEntry = {"postrouting", net::NftBaseChain::Hook::kNatPostrouting, 100 /* srcnat */};

namespace {

using net::NftBatch;
using net::NftConnection;
using net::NftRule;
using net::NftView;

const std::string& table_name() {
  static const std::string kName = "table inet " + kMasqueradeTable.name;
  return kName;
}

NftRule map_rule(Family family) {
  NftRule rule;
  rule.family = family;
  rule.action = NftRule::Action::kSourceMap;
  rule.target = masquerade_map(family);
  return rule;
}

// Empty also if there is none.
std::string mismatch_of_entry(const NftView& view) {
  const net::NftChain* entry = view.find_chain(kMasqueradeEntry.name);
  return entry == nullptr ? std::string() : kMasqueradeEntry.mismatch(*entry);
}

std::string fault_of_chain(const NftView& view) {
  const std::string chain = "chain " + kMasqueradeEntry.name;
  const net::NftChain* entry = view.find_chain(kMasqueradeEntry.name);
  if (entry == nullptr) return "there is no " + chain;
  if (const std::string mismatch = mismatch_of_entry(view); !mismatch.empty()) return chain + " " + mismatch;
  return entry->hook->accepts ? std::string() : chain + " drops by policy";
}

std::string fault_of_map(const NftView& view, Family family) {
  const std::string& name = masquerade_map(family);
  const net::NftMap* map = view.find_map(name);
  if (map == nullptr) return {};
  return map->key == family ? std::string()
                            : "map " + name + " is not a plain one from " + std::string(family_name(family)) +
                                  " addresses to verdicts";
}

std::string fault_of_maps(const NftView& view) {
  const std::string fault = fault_of_map(view, Family::kIpv4);
  return fault.empty() ? fault_of_map(view, Family::kIpv6) : fault;
}

std::string fault_of_rules(const NftView& view) {
  const std::string chain = "chain " + kMasqueradeEntry.name;
  for (const Family family : kFamilies) {
    const bool there = std::any_of(view.rules.begin(), view.rules.end(),
                                   [&](const NftRule& rule) { return rule.same_effect(map_rule(family)); });
    if (!there) return chain + " has no rule that looks into map " + masquerade_map(family);
  }
  const bool exact = view.rules.size() == 2 && view.rules[0].same_effect(map_rule(Family::kIpv4));
  return exact ? std::string() : chain + " has other rules than the two that look into the maps, or in another order";
}

Error in_the_way(const std::string& fault) {
  return Error::make(Code::kConflict, "masquerading cannot be installed: " + fault,
                     "nft list " + table_name() +
                         " shows what there is; remove what is in the way, or all of it: nft " + "delete " +
                         table_name() + ", after which pods that run are masqueraded when they are made anew");
}

// Other base chains in a dormant table would come to life with ours.
Status check_wakeable(NftConnection& nft) {
  CNIO_LET(const auto chains, nft.list_chains(kMasqueradeTable));
  for (const net::NftChain& chain : chains) {
    if (!chain.hook || chain.name == kMasqueradeEntry.name) continue;
    return in_the_way(table_name() + " is dormant, and chain " + chain.name +
                      " of somebody else would come to life with it");
  }
  return {};
}

// A chain that others lead to cannot be made anew.
Status check_replaceable(NftConnection& nft, const std::string& fault) {
  CNIO_LET(const auto rules, nft.list_rules(kMasqueradeTable));
  for (const NftRule& rule : rules) {
    const bool leads = rule.action == NftRule::Action::kJump || rule.action == NftRule::Action::kGoto;
    if (!leads || rule.target != kMasqueradeEntry.name) continue;
    return in_the_way("chain " + kMasqueradeEntry.name + " " + fault + ", and chain " + rule.chain +
                      " of somebody else leads to it");
  }
  return {};
}

}  // namespace

const std::string& masquerade_map(Family family) {
  static const std::string kIpv4Map = "attachments4";
  static const std::string kIpv6Map = "attachments6";
  return family == Family::kIpv4 ? kIpv4Map : kIpv6Map;
}

Result<NftView> view_masquerade_entry(NftConnection& nft, bool with_maps) {
  std::vector<std::string> maps;
  if (with_maps) maps = {masquerade_map(Family::kIpv4), masquerade_map(Family::kIpv6)};
  return nft.view(kMasqueradeTable,
                  {.chains = {kMasqueradeEntry.name}, .maps = std::move(maps), .rules_of = kMasqueradeEntry.name});
}

Result<NftView> view_masquerade_chain(NftConnection& nft, const std::string& chain) {
  return nft.view(kMasqueradeTable, {.chains = {chain}, .maps = {}, .rules_of = chain});
}

std::string fault_of_masquerade_entry(const NftView& view) {
  if (view.table && view.table->dormant) return table_name() + " is dormant, so the kernel ignores it";
  for (const auto& part : {fault_of_chain, fault_of_maps, fault_of_rules}) {
    if (std::string fault = part(view); !fault.empty()) return fault;
  }
  return {};
}

Status check_masquerade_mendable(NftConnection& nft, const NftView& view) {
  if (!view.table) return {};
  if (view.table->owner) {
    return in_the_way(table_name() + " belongs to the program with netlink port " + std::to_string(*view.table->owner) +
                      ", which alone may change it");
  }
  // Its elements may be those of pods that run.
  if (const std::string fault = fault_of_maps(view); !fault.empty()) return in_the_way(fault);
  const std::string mismatch = mismatch_of_entry(view);
  if (!mismatch.empty()) CNIO_TRY(check_replaceable(nft, mismatch));
  return view.table->dormant ? check_wakeable(nft) : Status();
}

Status prepare_masquerade_entry(NftConnection& nft, const NftView& view) {
  CNIO_TRY(check_masquerade_mendable(nft, view));
  if (!view.table || !view.table->dormant) return {};
  NftBatch batch(kMasqueradeTable);
  batch.wake_table();
  return nft.commit(batch, "wake up " + table_name());
}

Result<std::optional<std::string>> find_chain_of(NftConnection& nft, const IpAddr& address) {
  auto found = nft.find_goto(kMasqueradeTable, masquerade_map(address.family()), address);
  if (!found.ok() && found.error().errnum() == EINVAL) return std::optional<std::string>();
  return found;
}

bool replaces_masquerade_chain(const NftView& view) { return !mismatch_of_entry(view).empty(); }

void put_masquerade_entry(NftBatch& batch, const NftView& view) {
  const std::string& chain = kMasqueradeEntry.name;
  batch.ensure_table("masquerading of pods, kept by the cnio CNI plugins: changes by hand are lost");
  if (replaces_masquerade_chain(view)) batch.delete_chain(chain);
  batch.ensure_base_chain(kMasqueradeEntry);
  batch.flush_chain(chain);
  put_masquerade_maps(batch);
  for (const Family family : kFamilies) batch.append_rule(chain, map_rule(family));
}

void put_masquerade_maps(NftBatch& batch) {
  for (const Family family : kFamilies) {
    batch.ensure_verdict_map(masquerade_map(family), family, "source address : chain of the attachment that has it");
  }
}

Status explain_masquerade_failure(NftConnection& nft, Status failed) {
  if (failed.ok() || failed.error().code() != Code::kKernel) return failed;
  auto view = view_masquerade_entry(nft);
  if (!view.ok() || !view.value().table) return failed;
  if (view.value().table->owner) return check_masquerade_mendable(nft, view.value());
  // The kernel's own words would be "too many open files".
  if (failed.error().errnum() == ENFILE) return in_the_way("a map of " + table_name() + " has a size, and is full");
  const std::string fault = fault_of_masquerade_entry(view.value());
  if (fault.empty() || view.value().chains.empty()) return failed;
  return in_the_way(fault).hint(failed.error().msg());
}

void put_masquerade_table_removal(NftBatch& batch, const NftView& view) {
  if (!view.chains.empty()) batch.delete_chain(kMasqueradeEntry.name);
  for (const net::NftMap& map : view.maps) batch.delete_map(map.name);
  batch.delete_empty_table();
}

}  // namespace cnio::firewall
