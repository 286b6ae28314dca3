// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/masquerade_reference.hpp"

#include <algorithm>
#include <functional>

#include "cnio/base/error_list.hpp"

#include "firewall/masquerade_names.hpp"
#include "firewall/masquerade_nftables.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;
using net::NftRule;

const net::NftTable kReferenceTable = {net::NftFamily::kInet, "cni_plugins_masquerade"};
const std::string kReferenceChain = "masq_checks";

// The tables of iptables-nft and ip6tables-nft.
const std::vector<net::NftTable> kIptablesTables = {{net::NftFamily::kIpv4, "nat"}, {net::NftFamily::kIpv6, "nat"}};

Status remove_rules_once(NftConnection& nft, const std::function<bool(const NftRule&)>& unwanted,
                         RemovedSources& sources) {
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const auto rules, nft.list_rules(kReferenceTable, kReferenceChain));
  NftBatch batch(kReferenceTable, generation);
  for (const NftRule& rule : rules) {
    const bool goes = unwanted(rule);
    if (goes) batch.delete_rule(kReferenceChain, rule.handle);
    sources.note(rule.source, goes);
  }
  return nft.commit(batch, "remove masquerading made by another implementation");
}

bool is_jump_to(const NftRule& rule, const std::string& chain) {
  return rule.action == NftRule::Action::kJump && rule.target == chain;
}

Status remove_chain_once(NftConnection& nft, const net::NftTable& table, const SharedChain& chain,
                         RemovedSources& sources) {
  CNIO_LET(const bool exists, nft.has_chain(table, chain.name));
  if (!exists) return {};
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const auto rules, nft.list_rules(table, kIptablesPostrouting));
  NftBatch batch(table, generation);
  bool still_used = false;
  for (const NftRule& rule : rules) {
    const bool into = is_jump_to(rule, chain.name);
    const bool goes = into && chain.holds_jump(rule.source, rule.comment);
    if (goes) batch.delete_rule(kIptablesPostrouting, rule.handle);
    if (into && !goes) still_used = true;
    if (rule.target.starts_with(kIptablesChainPrefix)) sources.note(rule.source, goes);
  }
  if (!still_used) batch.delete_chain(chain.name);
  return nft.commit(batch, "remove iptables chain " + chain.name);
}

Status remove_chain(NftConnection& nft, const net::NftTable& table, const SharedChain& chain, RemovedSources& sources) {
  return net::retry_while_changing([&] {
    sources = {};
    return remove_chain_once(nft, table, chain, sources);
  });
}

// The chain's name does not tell its network, but the comments of its rules do.
Result<bool> is_chain_of(NftConnection& nft, const net::NftTable& table, const std::string& chain,
                         const std::string& network) {
  CNIO_LET(const auto rules, nft.list_rules(table, chain));
  const std::string prefix = iptables_comment_prefix(network);
  return std::any_of(rules.begin(), rules.end(), [&](const NftRule& rule) { return rule.comment.starts_with(prefix); });
}

Result<bool> has_jump_from(NftConnection& nft, const IpAddr& address, const std::string& chain) {
  const net::NftTable& table = kIptablesTables[address.is_v4() ? 0 : 1];
  CNIO_LET(const bool exists, nft.has_chain(table, chain));
  if (!exists) return false;
  CNIO_LET(const auto rules, nft.list_rules(table, kIptablesPostrouting));
  return std::any_of(rules.begin(), rules.end(), [&](const NftRule& rule) {
    return is_jump_to(rule, chain) && rule.source && rule.source->contains(address);
  });
}

}  // namespace

void RemovedSources::note(const std::optional<Cidr>& source, bool goes) {
  if (source && *source == Cidr::host(source->addr)) (goes ? gone : kept).insert(source->addr);
}

void RemovedSources::add_to(MasqueradeRecord& record) const {
  for (const IpAddr& address : gone) {
    record.addresses.push_back(address);
    if (kept.contains(address)) record.of_others.push_back(address);
  }
}

Status remove_reference_rules(NftConnection& nft, const MasqueradeIdentity& who, MasqueradeRecord& record) {
  const std::string prefix = reference_prefix(who);
  RemovedSources sources;
  const Status status = net::retry_while_changing([&] {
    sources = {};
    return remove_rules_once(
        nft, [&](const NftRule& rule) { return rule.comment.starts_with(prefix); }, sources);
  });
  sources.add_to(record);
  return status;
}

Status collect_reference_rules(NftConnection& nft, const StaleOwners& stale) {
  const auto unwanted = [&](const NftRule& rule) {
    return stale.contain_hash(hash_in_reference_comment(rule.comment));
  };
  RemovedSources sources;
  return net::retry_while_changing([&] { return remove_rules_once(nft, unwanted, sources); });
}

bool SharedChain::holds_jump(const std::optional<Cidr>& source, const std::string& comment) const {
  if (!comment.empty() && !comment.starts_with(comment_prefix)) return false;
  if (sources.empty()) return true;
  return source &&
         std::any_of(sources.begin(), sources.end(), [&](const IpAddr& address) { return source->contains(address); });
}

Status remove_iptables_nft_chain(NftConnection& nft, const SharedChain& chain, MasqueradeRecord& record) {
  ErrorList errors;
  for (const auto& table : kIptablesTables) {
    RemovedSources sources;
    errors.collect(remove_chain(nft, table, chain, sources));
    sources.add_to(record);
  }
  return errors.status();
}

Status collect_iptables_nft_chains(NftConnection& nft, const std::string& network,
                                   const std::vector<protocol::Attachment>& valid) {
  const auto keep = valid_iptables_chains(network, valid);
  ErrorList errors;
  for (const auto& table : kIptablesTables) {
    CNIO_LET(const auto chains, nft.list_chains(table));
    for (const net::NftChain& each : chains) {
      const std::string& chain = each.name;
      const bool kept = std::find(keep.begin(), keep.end(), chain) != keep.end();
      if (kept || !chain.starts_with(kIptablesChainPrefix)) continue;
      const auto ours = is_chain_of(nft, table, chain, network);
      if (!ours.ok()) {
        errors.collect(ours.error());
      } else if (ours.value()) {
        RemovedSources sources;
        errors.collect(remove_chain(nft, table, {chain, iptables_comment_prefix(network), {}}, sources));
      }
    }
  }
  return errors.status();
}

Result<bool> masqueraded_by_reference(NftConnection& nft, const MasqueradeSpec& spec) {
  if (!spec.exclude.empty() || spec.only) return false;  // which it does not know
  CNIO_LET(const auto rules, nft.list_rules(kReferenceTable, kReferenceChain));
  const std::string prefix = reference_prefix(spec.who);
  for (const Cidr& address : spec.addresses) {
    const bool in_nft = std::any_of(rules.begin(), rules.end(), [&](const NftRule& rule) {
      return rule.comment.starts_with(prefix) && rule.source == Cidr::host(address.addr);
    });
    if (in_nft) continue;
    CNIO_LET(const bool in_iptables, has_jump_from(nft, address.addr, iptables_chain(spec.who)));
    if (!in_iptables) return false;
  }
  return true;
}

std::vector<std::string> valid_iptables_chains(const std::string& network,
                                               const std::vector<protocol::Attachment>& valid) {
  std::vector<std::string> chains;
  for (const auto& attachment : valid) chains.push_back(iptables_chain({network, attachment}));
  return chains;
}

}  // namespace cnio::firewall
