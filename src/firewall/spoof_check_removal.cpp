// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <linux/netlink.h>
#include <optional>
#include <set>

#include "cnio/base/error_list.hpp"
#include "cnio/firewall/spoof_check.hpp"
#include "cnio/net/link/link.hpp"

#include "firewall/masquerade_names.hpp"
#include "firewall/spoof_check_chains.hpp"
#include "firewall/take_away.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;
using net::NftRule;
using protocol::Attachment;

constexpr Way kWithTable = Way::kFirst;  // and what was made for all attachments, if nothing is left in it

// Removes exactly what is ours, by name.
Status remove_once(NftConnection& nft, const std::string& chain, Way way) {
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const net::NftView view, nft.view(kSpoofCheckTable, {.chains = {kPrerouting.name, chain, chain + kMacSuffix},
                                                                .maps = {},
                                                                .rules_of = kPrerouting.name}));
  std::vector<std::string> present;
  for (const std::string& each : chains_of(chain)) {
    if (view.find_chain(each) != nullptr) present.push_back(each);
  }
  if (present.empty()) return {};
  NftBatch batch(kSpoofCheckTable, generation);
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
  if (way == kWithTable && last && entry != nullptr && entry->comment == kOurs) {
    batch.delete_chain(kPrerouting.name);
    const bool alone = view.table && view.table->comment == kOurs && view.table->use == present.size() + 1;
    if (alone) batch.delete_empty_table();
  }
  return nft.commit(batch, "remove the spoof check");
}

Result<std::optional<Error>> take_chains_away(NftConnection& nft, const std::string& chain) {
  return take_away([&](Way way) { return remove_once(nft, chain, way); });
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

Status remove_spoof_check_chains(NftConnection& nft, const std::string& chain) {
  CNIO_TRY(take_chains_away(nft, chain));
  return {};
}

Status remove_spoof_check(NftConnection& nft, const std::string& network, const Attachment& attachment) {
  const std::string name = port_chain(attachment);
  CNIO_LET(const net::NftView view, view_attachment(nft, name));
  const net::NftChain* chain = view.find_chain(name);
  const bool none = chain == nullptr && view.find_chain(name + kMacSuffix) == nullptr;
  const bool foreign = chain != nullptr && !chain->comment.empty() &&
                       hash_in_reference_comment(chain->comment) != owner_hash({network, attachment});
  return none || foreign ? Status() : remove_spoof_check_chains(nft, name);
}

Status collect_spoof_check_garbage(const std::string& network, const std::vector<Attachment>& valid) {
  CNIO_LET(auto nft, NftConnection::open());
  if (!nft) return {};
  const StaleOwners stale(network, valid);
  CNIO_LET(const std::vector<net::NftChain> chains, nft->list_chains(kSpoofCheckTable));
  if (chains.empty()) return {};
  CNIO_LET(net::Netlink route, net::Netlink::open(NETLINK_ROUTE));
  ErrorList errors;
  std::set<std::string> seen;
  for (const net::NftChain& each : chains) {
    if (!each.name.starts_with(kChainPrefix)) continue;
    const bool second = each.name.ends_with(kMacSuffix);
    const std::string chain = second ? each.name.substr(0, each.name.size() - kMacSuffix.size()) : each.name;
    if (!seen.insert(chain).second) continue;
    const Result<bool> goes = each.comment.empty()
                                  ? is_dead(*nft, route, chain)
                                  : Result<bool>(stale.contain_hash(hash_in_reference_comment(each.comment)));
    if (!goes.ok()) errors.collect(goes.error());
    if (goes.ok() && goes.value()) collect(errors, chain, take_chains_away(*nft, chain));
  }
  return errors.status();
}

}  // namespace cnio::firewall
