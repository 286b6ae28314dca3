// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/masquerade_sources.hpp"

#include "firewall/masquerade_names.hpp"
#include "firewall/masquerade_shared.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;
using net::NftRule;

// The last one, whose pod is the most likely to live.
std::optional<Heir> heir_of(const IpAddr& address, const std::string& chain, const std::vector<NftRule>& rules) {
  std::optional<Heir> heir;
  std::set<std::string> waiting;
  for (const NftRule& rule : rules) {
    const bool names_it = rule.source == Cidr::host(address) && rule.action == NftRule::Action::kReturn;
    if (!names_it || rule.chain == chain || !is_attachment_chain(rule.chain)) continue;
    waiting.insert(rule.chain);
    heir = Heir{address, rule.chain, std::nullopt};
    if (rule.comment != kTakenOver && !rule.has_more) heir->unmarked = rule;
  }
  if (waiting.size() < 2 && heir) heir->unmarked.reset();
  return heir;
}

}  // namespace

std::map<IpAddr, bool> sources_in(const std::vector<NftRule>& rules) {
  std::map<IpAddr, bool> out;
  for (const NftRule& rule : rules) {
    if (rule.source && *rule.source == Cidr::host(rule.source->addr))
      out[rule.source->addr] |= rule.comment == kTakenOver;
  }
  return out;
}

Result<std::vector<Heir>> find_heirs(NftConnection& nft, const std::string& chain, const std::set<IpAddr>& addresses) {
  std::vector<Heir> heirs;
  if (addresses.empty()) return heirs;
  CNIO_LET(const auto rules, nft.list_rules(kMasqueradeTable));
  for (const IpAddr& address : addresses) {
    if (auto heir = heir_of(address, chain, rules)) heirs.push_back(*std::move(heir));
  }
  return heirs;
}

void put_release(NftBatch& batch, const std::set<IpAddr>& addresses, const std::vector<Heir>& heirs) {
  for (const IpAddr& address : addresses) batch.delete_element(masquerade_map(address.family()), address);
  for (const Heir& heir : heirs) {
    batch.add_goto(masquerade_map(heir.address.family()), heir.address, heir.chain);
    if (!heir.unmarked) continue;
    NftRule marked = *heir.unmarked;
    marked.comment = kTakenOver;
    batch.replace_rule(heir.chain, marked.handle, marked);
  }
}

}  // namespace cnio::firewall
