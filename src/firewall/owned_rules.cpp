// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/owned_rules.hpp"

#include <array>
#include <iterator>
#include <map>
#include <set>

#include "firewall/filter_table.hpp"
#include "firewall/masquerade_names.hpp"
#include "firewall/masquerade_shared.hpp"
#include "firewall/pod_rules.hpp"
#include "firewall/pod_table.hpp"
#include "firewall/port_map_record.hpp"
#include "firewall/port_map_rules.hpp"
#include "firewall/port_map_table.hpp"
#include "firewall/spoof_check_chains.hpp"

namespace cnio::firewall {
namespace {

using net::NftConnection;
using Rules = std::vector<OwnedRules>;

constexpr std::array<std::string_view, 4> kKinds = {"masquerade", "spoof-check", "port-map", "firewall"};
constexpr std::array<uint8_t, 16> kNoAddress = {};
constexpr size_t kHashes = 2 * kOwnerHashDigits + 1;  // "H1-H2"

// What it says is believed only if the hash says the same.
void settle(OwnedRules& rules, std::optional<RuleOwner> said) {
  if (said && owner_hash(*said) == rules.hash) rules.owner = std::move(said);
}

// The sets and maps are of one family each, which the size of a key tells.
std::optional<IpAddr> address_in(const net::NftElement& element) {
  for (const Family family : kFamilies) {
    IpAddr address = IpAddr::from_bytes(family, kNoAddress.data());
    if (element.key.size() == address.size()) return IpAddr::from_bytes(family, element.key.data());
  }
  return std::nullopt;
}

std::map<std::string, std::vector<IpAddr>> addresses_by_chain(const std::vector<net::NftElement>& elements) {
  std::map<std::string, std::vector<IpAddr>> out;
  for (const net::NftElement& element : elements) {
    const auto address = address_in(element);
    if (address) out[element.chain].push_back(*address);
  }
  return out;
}

// All that there are, listed once.
using Chains = std::vector<net::NftTableChain>;

std::vector<net::NftChain> chains_in(const net::NftTable& table, const Chains& all) {
  std::vector<net::NftChain> out;
  for (const net::NftTableChain& each : all) {
    if (each.table.family == table.family && each.table.name == table.name) out.push_back(each.chain);
  }
  return out;
}

Status add_masquerade(NftConnection& nft, const Chains& all, Rules& out) {
  const auto chains = chains_in(kMasqueradeTable, all);
  if (chains.empty()) return {};
  CNIO_LET(auto elements, nft.list_elements(kMasqueradeTable, masquerade_map(Family::kIpv4)));
  CNIO_LET(const auto of_ipv6, nft.list_elements(kMasqueradeTable, masquerade_map(Family::kIpv6)));
  elements.insert(elements.end(), of_ipv6.begin(), of_ipv6.end());
  const auto addresses = addresses_by_chain(elements);
  for (const net::NftChain& chain : chains) {
    if (!is_attachment_chain(chain.name)) continue;
    OwnedRules rules = {RuleKind::kMasquerade, kMasqueradeTable, chain.name, hash_in_attachment_chain(chain.name)};
    rules.text = chain.comment;
    settle(rules, parse_readable_identity(chain.comment));
    const auto leading = addresses.find(chain.name);
    if (leading != addresses.end()) rules.addresses = leading->second;
    out.push_back(std::move(rules));
  }
  return {};
}

// The first of an attachment's two chains stands for both. Without a comment it is the reference's.
void add_spoof_checks(const Chains& all, Rules& out) {
  for (const net::NftChain& chain : chains_in(kSpoofCheckTable, all)) {
    const std::string hash = hash_in_reference_comment(chain.comment);
    if (!chain.name.starts_with(kChainPrefix) || chain.name.ends_with(kMacSuffix) || hash.empty()) continue;
    OwnedRules rules = {RuleKind::kSpoofCheck, kSpoofCheckTable, chain.name, hash};
    if (chain.comment.size() > kHashes + 2) rules.text = chain.comment.substr(kHashes + 2);
    settle(rules, parse_readable_identity(rules.text));
    out.push_back(std::move(rules));
  }
}

OwnedRules commented(RuleKind kind, const net::NftTable& table, std::string object, const std::string& comment) {
  OwnedRules rules = {kind, table, std::move(object), std::string(hash_in_comment(comment))};
  rules.text = owner_text(comment);
  settle(rules, owner_in_text(rules.text));
  return rules;
}

void add_port_chains(const net::NftTable& table, const Chains& all, Rules& out) {
  for (const net::NftChain& chain : chains_in(table, all)) {
    const bool ours = is_ports_chain(chain.name) || chain.name.starts_with(kPodChainPrefix);
    if (!ours || hash_in_comment(chain.comment).empty()) continue;
    out.push_back(commented(RuleKind::kPortMap, table, chain.name, chain.comment));
  }
}

// The comments in our own table tell them, whatever chains lead there.
Status add_ports(NftConnection& nft, Rules& out) {
  if (out.empty()) return {};
  std::map<std::string, OwnedRules*> by_chain;
  for (OwnedRules& each : out) by_chain.emplace(each.object, &each);
  CNIO_LET(const auto rules, nft.list_programs(kPortMapTable));
  for (const net::NftProgramRule& rule : rules) {
    const auto chain = by_chain.find(rule.chain);
    if (chain == by_chain.end()) continue;
    PortMapRecord record;
    record.understand(rule.comment);
    for (const LedPort& port : record.ports) {
      chain->second->ports.push_back({port.protocol, port.host_port, port.pod_port, port.host});
      chain->second->addresses.push_back(port.pod);
    }
  }
  return {};
}

Status add_port_maps(NftConnection& nft, const Chains& all, Rules& out) {
  Rules own;
  add_port_chains(kPortMapTable, all, own);
  CNIO_TRY(add_ports(nft, own));
  std::move(own.begin(), own.end(), std::back_inserter(out));
  // Those that iptables shows.
  add_port_chains({net::NftFamily::kIpv4, "nat"}, all, out);
  add_port_chains({net::NftFamily::kIpv6, "nat"}, all, out);
  return {};
}

Status add_pods(NftConnection& nft, Rules& out) {
  for (const Family family : kFamilies) {
    CNIO_LET(const auto elements, nft.list_elements(pod_table(), pod_set(family)));
    for (const net::NftElement& element : elements) {
      OwnedRules rules = commented(RuleKind::kPodFirewall, pod_table(), pod_set(family), element.comment);
      if (rules.hash.empty()) continue;
      if (const auto address = address_in(element)) rules.addresses.push_back(*address);
      out.push_back(std::move(rules));
    }
  }
  return {};
}

// Bridge and port of each pod of a bridge with a policy.
Status add_members(NftConnection& nft, Rules& out) {
  CNIO_LET(const auto elements, nft.list_elements(pod_table(), kMemberSet));
  for (const net::NftElement& element : elements) {
    OwnedRules rules = commented(RuleKind::kPodFirewall, pod_table(), kMemberSet, element.comment);
    if (!rules.hash.empty()) out.push_back(std::move(rules));
  }
  return {};
}

// The rules that iptables shows are several for a pod, and say whose they are in notes.
Status add_filter_rules(NftConnection& nft, Rules& out) {
  for (const Family family : kFamilies) {
    CNIO_LET(const auto rules, nft.list_programs(filter_table(family), kPodChain));
    std::set<std::string_view> seen;
    for (const net::NftProgramRule& rule : rules) {
      const std::string_view hash = hash_in_comment(rule.note);
      if (hash.empty() || !seen.insert(hash).second) continue;
      out.push_back(commented(RuleKind::kPodFirewall, filter_table(family), kPodChain, rule.note));
    }
  }
  return {};
}

}  // namespace

std::string_view to_string(RuleKind kind) { return kKinds.at(static_cast<size_t>(kind)); }

Result<Rules> list_owned_rules(NftConnection& nft) {
  Rules out;
  CNIO_LET(const Chains chains, nft.list_chains());
  CNIO_TRY(add_masquerade(nft, chains, out));
  add_spoof_checks(chains, out);
  CNIO_TRY(add_port_maps(nft, chains, out));
  CNIO_TRY(add_pods(nft, out));
  CNIO_TRY(add_members(nft, out));
  CNIO_TRY(add_filter_rules(nft, out));
  return out;
}

}  // namespace cnio::firewall
