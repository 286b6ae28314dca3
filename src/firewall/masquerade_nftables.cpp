// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/masquerade_nftables.hpp"

#include <algorithm>
#include <set>

#include "firewall/masquerade_names.hpp"
#include "firewall/masquerade_shared.hpp"
#include "firewall/masquerade_sources.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;
using net::NftRule;

constexpr int kUnhurriedAttempts = 5;

Cidr multicast(Family family) { return *Cidr::parse(family == Family::kIpv4 ? "224.0.0.0/4" : "ff00::/8"); }

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

// What an attachment's elements and rules depend on.
struct Present {
  bool foreign_chain = false;   // one under its name that the kernel calls by itself
  std::set<IpAddr> taken_over;  // wanted addresses that lead, or once led, to another attachment's chain
  std::set<IpAddr> obsolete;    // elements that must go before ours are added
  std::set<IpAddr> given_up;    // likewise of addresses that we had before, for which others may wait
  std::vector<Heir> heirs;      // of these
};

Result<Present> look_at_attachment(NftConnection& nft, const std::string& chain, const std::set<IpAddr>& wanted) {
  CNIO_LET(const net::NftView view, view_masquerade_chain(nft, chain));
  Present out;
  out.foreign_chain = !view.chains.empty() && view.chains.front().hook;
  const std::map<IpAddr, bool> earlier = sources_in(view.rules);
  const auto was_taken_over = [&](const IpAddr& address) {
    const auto found = earlier.find(address);
    return found != earlier.end() && found->second;
  };
  for (const IpAddr& address : wanted) {
    CNIO_LET(const auto leads_to, find_chain_of(nft, address));
    const bool elsewhere = leads_to && *leads_to != chain;
    if (elsewhere || (leads_to && out.foreign_chain)) out.obsolete.insert(address);
    if (elsewhere || was_taken_over(address)) out.taken_over.insert(address);
  }
  std::set<IpAddr> awaited;
  for (const auto& [address, taken_over] : earlier) {
    if (wanted.contains(address)) continue;
    CNIO_LET(const auto leads_to, find_chain_of(nft, address));
    if (!leads_to || *leads_to != chain) continue;
    out.given_up.insert(address);
    if (taken_over) awaited.insert(address);
  }
  CNIO_LET(out.heirs, find_heirs(nft, chain, awaited));
  return out;
}

// Where others have pods and this attachment has no rules yet, which is the rule: nothing has to be read. Fails if that
// is not so, and then changes nothing.
Status install_new(NftConnection& nft, const MasqueradeSpec& spec) {
  const std::string chain = attachment_chain(spec.who);
  NftBatch batch(kMasqueradeTable);
  put_masquerade_maps(batch);
  batch.create_chain(chain, readable_identity(spec.who));
  for (const NftRule& rule : masquerade_rules(spec)) batch.append_rule(chain, rule);
  for (const IpAddr& address : addresses_of(spec)) batch.add_goto(masquerade_map(address.family()), address, chain);
  return nft.commit(batch, "install masquerading");
}

// `hurried`: rely on as little of what was read as possible, because others keep changing it.
Status install_once(NftConnection& nft, const MasqueradeSpec& spec, bool hurried) {
  const std::string chain = attachment_chain(spec.who);
  const std::set<IpAddr> wanted = addresses_of(spec);
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(const net::NftView shared, view_masquerade_entry(nft));
  CNIO_TRY(prepare_masquerade_entry(nft, shared));
  CNIO_LET(const Present present, look_at_attachment(nft, chain, wanted));
  // Rewriting what stands already would be right, too, but replaced rules make the kernel hold the closing of our
  // socket until no packet can use them any more: some 20 ms.
  const bool rewrite = hurried || !fault_of_masquerade_entry(shared).empty();

  // A batch that writes everything and deletes no element is right whatever others do meanwhile.
  const bool depends = !rewrite || replaces_masquerade_chain(shared) || present.foreign_chain ||
                       !present.obsolete.empty() || !present.given_up.empty();
  NftBatch batch(kMasqueradeTable, depends ? std::optional(generation) : std::nullopt);
  if (rewrite) put_masquerade_entry(batch, shared);
  put_release(batch, present.obsolete, {});
  put_release(batch, present.given_up, present.heirs);
  if (present.foreign_chain) batch.delete_chain(chain);
  batch.ensure_chain(chain, readable_identity(spec.who));
  batch.flush_chain(chain);
  for (const NftRule& rule : masquerade_rules(spec, present.taken_over)) batch.append_rule(chain, rule);
  for (const IpAddr& address : wanted) batch.add_goto(masquerade_map(address.family()), address, chain);
  return nft.commit(batch, "install masquerading");
}

Error missing(const std::string& what) {
  return Error::make(Code::kCheckFailed, "masquerading is incomplete: " + what,
                     "nft list table inet " + kMasqueradeTable.name + " shows what there is");
}

bool equal_in_effect(const std::vector<NftRule>& a, const std::vector<NftRule>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const NftRule& x, const NftRule& y) { return x.same_effect(y); });
}

// Those that packets from this address may meet.
std::vector<NftRule> rules_for(const IpAddr& address, std::vector<NftRule> rules) {
  std::erase_if(rules, [&](const NftRule& rule) {
    if (rule.source) return !rule.source->contains(address);
    return rule.destination && rule.destination->family() != address.family();
  });
  return rules;
}

// Another attachment that has the address, too, may have taken it over: that is well if its chain does the same.
Status check_element(NftConnection& nft, const MasqueradeSpec& spec, const IpAddr& address) {
  const std::string& map = masquerade_map(address.family());
  CNIO_LET(const auto leads_to, find_chain_of(nft, address));
  const std::string chain = attachment_chain(spec.who);
  if (leads_to == chain) return {};
  const std::string fault = "map " + map + " does not lead from " + address.to_string() + " to " + chain;
  if (!leads_to) return missing(fault);
  CNIO_LET(const auto rules, nft.list_rules(kMasqueradeTable, *leads_to));
  if (equal_in_effect(rules_for(address, rules), rules_for(address, masquerade_rules(spec)))) return {};
  return missing(fault + ", but to " + *leads_to + ", whose rules are others");
}

}  // namespace

std::vector<NftRule> masquerade_rules(const MasqueradeSpec& spec, const std::set<IpAddr>& taken_over) {
  std::vector<NftRule> rules;
  std::set<Family> families;
  // Naming the source, too, makes the chain remember which addresses it was made for.
  for (const Cidr& address : std::set<Cidr>(spec.addresses.begin(), spec.addresses.end())) {
    rules.push_back(untouched(address.network(), taken_over.contains(address.addr) ? kTakenOver : kOwnSubnet));
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
  CNIO_LET(const net::NftView view, view_masquerade_entry(nft));
  if (view.table) {
    CNIO_TRY(check_masquerade_mendable(nft, view));
    if (!view.chains.empty()) return {};  // where pods are masqueraded it works
  }
  NftBatch batch(kMasqueradeTable);
  put_masquerade_entry(batch, {});
  batch.append_rule(kMasqueradeEntry.name, masquerade_rules({}).back());
  return NftConnection::rehearse(batch, "try whether masquerading could be installed");
}

Status install_nftables_masquerade(NftConnection& nft, const MasqueradeSpec& spec) {
  CNIO_LET(const net::NftView shared, view_masquerade_entry(nft, false));
  if (fault_of_masquerade_entry(shared).empty() && install_new(nft, spec).ok()) return {};
  int attempts = 0;
  return explain_masquerade_failure(
      nft, net::retry_while_changing([&] { return install_once(nft, spec, ++attempts > kUnhurriedAttempts); }));
}

Status check_nftables_masquerade(NftConnection& nft, const MasqueradeSpec& spec) {
  CNIO_LET(const net::NftView shared, view_masquerade_entry(nft));
  if (const std::string fault = fault_of_masquerade_entry(shared); !fault.empty()) return missing(fault);
  for (const Cidr& address : spec.addresses) CNIO_TRY(check_element(nft, spec, address.addr));
  const std::string chain = attachment_chain(spec.who);
  CNIO_LET(const auto rules, nft.list_rules(kMasqueradeTable, chain));
  if (equal_in_effect(rules, masquerade_rules(spec))) return {};
  return missing("the rules of chain " + chain + " are not those that the configuration asks for");
}

}  // namespace cnio::firewall
