// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "masquerade_nftables.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

#include "cnio/base/error_list.hpp"

#include "masquerade_names.hpp"

namespace cnio::feature {
namespace {

using net::NftBatch;
using net::NftConnection;
using net::NftRule;

const net::NftTable kTable = {net::NftFamily::kInet, "cnio_masquerade"};
const net::NftBaseChain kPostrouting = {"postrouting", net::NftBaseChain::Hook::kNatPostrouting, 100 /* srcnat */};
// The objects of a table without attachments: the chain above and two maps.
constexpr uint32_t kSkeletonUse = 3;

constexpr int kUnhurriedAttempts = 5;

const std::string& map_of(Family family) {
  static const std::string kIpv4Map = "attachments4";
  static const std::string kIpv6Map = "attachments6";
  return family == Family::kIpv4 ? kIpv4Map : kIpv6Map;
}

Cidr multicast(Family family) { return *Cidr::parse(family == Family::kIpv4 ? "224.0.0.0/4" : "ff00::/8"); }

NftRule map_rule(Family family) {
  NftRule rule;
  rule.family = family;
  rule.action = NftRule::Action::kSourceMap;
  rule.target = map_of(family);
  return rule;
}

NftRule untouched(const Cidr& destination, std::string comment) {
  NftRule rule;
  rule.destination = destination;
  rule.action = NftRule::Action::kReturn;
  rule.comment = std::move(comment);
  return rule;
}

std::set<IpAddr> addresses_of(const MasqueradeSpec& spec) {
  std::set<IpAddr> out;
  for (const Cidr& address : spec.addresses) out.insert(address.addr);
  return out;
}

// Everything that all attachments share, always written in full and in the same batch as the attachment: so it does not
// matter who comes first, and what somebody took away comes back.
void put_skeleton(NftBatch& batch) {
  batch.ensure_table("masquerading of pods, kept by the cnio CNI plugins: changes by hand are lost");
  batch.ensure_base_chain(kPostrouting);
  batch.flush_chain(kPostrouting.name);
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    batch.ensure_verdict_map(map_of(family), family, "source address : chain of the attachment that has it");
    batch.append_rule(kPostrouting.name, map_rule(family));
  }
}

Result<bool> skeleton_stands(NftConnection& nft) {
  CNIO_LET(const auto rules, nft.list_rules(kTable, kPostrouting.name));
  return rules.size() == 2 && rules[0].same_effect(map_rule(Family::kIpv4)) &&
         rules[1].same_effect(map_rule(Family::kIpv6));
}

// The sources that a chain's rules name: the addresses it was made for.
Result<std::set<IpAddr>> addresses_in_chain(NftConnection& nft, const std::string& chain) {
  CNIO_LET(const auto rules, nft.list_rules(kTable, chain));
  std::set<IpAddr> out;
  for (const NftRule& rule : rules) {
    if (rule.source) out.insert(rule.source->addr);
  }
  return out;
}

// Elements that must go before ours are added: those of our addresses that lead elsewhere (the attachment there is gone
// without a DEL, or the address could not be ours), and those of addresses that we had before.
Result<std::vector<IpAddr>> obsolete_elements(NftConnection& nft, const std::string& chain,
                                              const std::set<IpAddr>& wanted) {
  std::vector<IpAddr> obsolete;
  for (const IpAddr& address : wanted) {
    CNIO_LET(const auto leads_to, nft.find_goto(kTable, map_of(address.family()), address));
    if (leads_to && *leads_to != chain) obsolete.push_back(address);
  }
  CNIO_LET(const auto earlier, addresses_in_chain(nft, chain));
  for (const IpAddr& address : earlier) {
    if (wanted.contains(address)) continue;
    CNIO_LET(const auto leads_to, nft.find_goto(kTable, map_of(address.family()), address));
    if (leads_to && *leads_to == chain) obsolete.push_back(address);
  }
  return obsolete;
}

// Where others have pods and this attachment has no rules yet, which is the rule: nothing has to be read. Fails if that
// is not so, and then changes nothing.
Status install_new(NftConnection& nft, const MasqueradeSpec& spec) {
  const std::string chain = attachment_chain(spec.who);
  NftBatch batch(kTable);
  batch.create_chain(chain, readable_identity(spec.who));
  for (const NftRule& rule : masquerade_rules(spec)) batch.append_rule(chain, rule);
  for (const IpAddr& address : addresses_of(spec)) batch.add_goto(map_of(address.family()), address, chain);
  return nft.commit(batch, "install masquerading");
}

// `hurried`: rely on as little of what was read as possible, because others keep changing it.
Status install_once(NftConnection& nft, const MasqueradeSpec& spec, bool hurried) {
  const std::string chain = attachment_chain(spec.who);
  const std::set<IpAddr> wanted = addresses_of(spec);
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const auto obsolete, obsolete_elements(nft, chain, wanted));
  // Rewriting what stands already would be right, too, but replaced rules make the kernel hold the closing of our
  // socket until no packet can use them any more: some 20 ms.
  CNIO_LET(const bool stands, skeleton_stands(nft));
  const bool rewrite = hurried || !stands;

  // A batch that writes everything and deletes no element is right whatever others do meanwhile.
  const bool depends = !rewrite || !obsolete.empty();
  NftBatch batch(kTable, depends ? std::optional(generation) : std::nullopt);
  if (rewrite) put_skeleton(batch);
  batch.ensure_chain(chain, readable_identity(spec.who));
  batch.flush_chain(chain);
  for (const NftRule& rule : masquerade_rules(spec)) batch.append_rule(chain, rule);
  for (const IpAddr& address : obsolete) batch.delete_element(map_of(address.family()), address);
  for (const IpAddr& address : wanted) batch.add_goto(map_of(address.family()), address, chain);
  return nft.commit(batch, "install masquerading");
}

// `thorough`: look through the whole maps instead of at the addresses that the chain's rules name, for a chain whose
// rules somebody changed.
Result<std::vector<IpAddr>> elements_to(NftConnection& nft, const std::string& chain, bool thorough) {
  std::vector<IpAddr> out;
  if (thorough) {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      CNIO_LET(const auto keys, nft.list_keys_to(kTable, map_of(family), chain));
      out.insert(out.end(), keys.begin(), keys.end());
    }
    return out;
  }
  CNIO_LET(const auto addresses, addresses_in_chain(nft, chain));
  for (const IpAddr& address : addresses) {
    CNIO_LET(const auto leads_to, nft.find_goto(kTable, map_of(address.family()), address));
    if (leads_to && *leads_to == chain) out.push_back(address);
  }
  return out;
}

Status remove_once(NftConnection& nft, const std::string& chain, bool thorough) {
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const bool exists, nft.has_chain(kTable, chain));
  if (!exists) return {};
  NftBatch batch(kTable, generation);
  CNIO_LET(const auto use, nft.find_table_use(kTable));
  if (use == kSkeletonUse + 1) {
    batch.delete_table();
  } else {
    CNIO_LET(const auto elements, elements_to(nft, chain, thorough));
    for (const IpAddr& address : elements) batch.delete_element(map_of(address.family()), address);
    batch.delete_chain(chain);
  }
  return nft.commit(batch, "remove masquerading");
}

Error missing(const std::string& what) {
  return Error::make(Code::kCheckFailed, "masquerading is incomplete: " + what,
                     "nft list table inet " + kTable.name + " shows what there is");
}

bool holds(const std::vector<NftRule>& rules, const NftRule& wanted) {
  return std::any_of(rules.begin(), rules.end(), [&](const NftRule& rule) { return rule.same_effect(wanted); });
}

}  // namespace

std::vector<NftRule> masquerade_rules(const MasqueradeSpec& spec) {
  std::vector<NftRule> rules;
  std::set<Family> families;
  // Naming the source, too, makes the chain remember which addresses it was made for.
  for (const Cidr& address : std::set<Cidr>(spec.addresses.begin(), spec.addresses.end())) {
    rules.push_back(untouched(address.network(), "own subnet"));
    rules.back().source = Cidr::host(address.addr);
    families.insert(address.family());
  }
  for (const Family family : families) rules.push_back(untouched(multicast(family), "multicast"));
  for (const Cidr& destination : spec.exclude) {
    if (families.contains(destination.family())) rules.push_back(untouched(destination.network(), "ipMasqExclude"));
  }
  NftRule masquerade;
  masquerade.action = NftRule::Action::kMasquerade;
  if (!spec.only) rules.push_back(masquerade);
  masquerade.comment = "ipMasqOnly";
  for (const Cidr& destination : spec.only.value_or(std::vector<Cidr>())) {
    if (!families.contains(destination.family())) continue;
    masquerade.destination = destination.network();
    rules.push_back(masquerade);
  }
  return rules;
}

Status rehearse_nftables_masquerade(NftConnection& nft) {
  // Where pods are masqueraded it works.
  CNIO_LET(const bool in_use, nft.has_chain(kTable, kPostrouting.name));
  if (in_use) return {};
  NftBatch batch(kTable);
  put_skeleton(batch);
  batch.append_rule(kPostrouting.name, masquerade_rules({}).back());
  return NftConnection::rehearse(batch, "try whether masquerading could be installed");
}

Status install_nftables_masquerade(NftConnection& nft, const MasqueradeSpec& spec) {
  CNIO_LET(const bool stands, skeleton_stands(nft));
  if (stands && install_new(nft, spec).ok()) return {};
  int attempts = 0;
  return net::retry_while_changing([&] { return install_once(nft, spec, ++attempts > kUnhurriedAttempts); });
}

Status remove_attachment_chain(NftConnection& nft, const std::string& chain) {
  bool thorough = false;
  return net::retry_while_changing([&] {
    Status status = remove_once(nft, chain, thorough);
    if (!status.ok() && status.error().errnum() == EBUSY) thorough = true;
    return status;
  });
}

Status check_nftables_masquerade(NftConnection& nft, const MasqueradeSpec& spec) {
  const std::string chain = attachment_chain(spec.who);
  CNIO_LET(const auto entry_rules, nft.list_rules(kTable, kPostrouting.name));
  for (const Cidr& address : spec.addresses) {
    const std::string& map = map_of(address.family());
    if (!holds(entry_rules, map_rule(address.family()))) {
      return missing("chain " + kPostrouting.name + " has no rule that looks into map " + map);
    }
    CNIO_LET(const auto leads_to, nft.find_goto(kTable, map, address.addr));
    if (leads_to != chain)
      return missing("map " + map + " does not lead from " + address.addr.to_string() + " to " + chain);
  }
  CNIO_LET(const auto rules, nft.list_rules(kTable, chain));
  const auto wanted = masquerade_rules(spec);
  if (!std::equal(rules.begin(), rules.end(), wanted.begin(), wanted.end(),
                  [](const NftRule& a, const NftRule& b) { return a.same_effect(b); })) {
    return missing("the rules of chain " + chain + " are not those that the configuration asks for");
  }
  return {};
}

Status collect_nftables_garbage(NftConnection& nft, const std::string& network,
                                const std::vector<protocol::Attachment>& valid) {
  std::set<std::string> keep;
  for (const auto& attachment : valid) keep.insert(attachment_chain({network, attachment}));
  CNIO_LET(const auto chains, nft.list_chains(kTable));
  ErrorList errors;
  for (const net::NftChain& chain : chains) {
    if (!chain.name.starts_with(attachment_chain_prefix(network)) || keep.contains(chain.name)) continue;
    errors.collect(remove_attachment_chain(nft, chain.name).context("remove chain " + chain.name));
  }
  return errors.status();
}

}  // namespace cnio::feature
