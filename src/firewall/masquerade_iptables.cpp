// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/masquerade_iptables.hpp"

#include <algorithm>
#include <set>

#include "cnio/base/error_list.hpp"

#include "firewall/iptables.hpp"
#include "firewall/masquerade_names.hpp"

namespace cnio::firewall {
namespace {

using Words = std::vector<std::string>;

struct IptablesRule {
  std::string chain;
  Words match;
  bool first = false;  // in front of the chain's other rules
};

Words with_words(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// The rules of one family in the order of their making; the shared chain's exceptions must stand in front of its
// MASQUERADE, which may be there already for another interface of the container.
std::vector<IptablesRule> iptables_rules(const MasqueradeSpec& spec, Family family) {
  const std::string chain = iptables_chain(spec.who);
  const Words comment = {"-m", "comment", "--comment", iptables_comment(spec.who)};
  std::vector<IptablesRule> exceptions;
  std::vector<IptablesRule> jumps;
  for (const Cidr& address : spec.addresses) {
    if (address.family() != family) continue;
    exceptions.push_back({chain, with_words({"-d", address.to_string(), "-j", "ACCEPT"}, comment), true});
    jumps.push_back({kIptablesPostrouting, with_words({"-s", address.addr.to_string(), "-j", chain}, comment)});
  }
  if (jumps.empty()) return {};
  for (const Cidr& destination : spec.exclude) {
    if (destination.family() != family) continue;
    exceptions.push_back({chain, with_words({"-d", destination.to_string(), "-j", "ACCEPT"}, comment), true});
  }
  const std::string multicast = family == Family::kIpv4 ? "224.0.0.0/4" : "ff00::/8";
  if (spec.only) exceptions.push_back({chain, with_words({"-d", multicast, "-j", "ACCEPT"}, comment), true});
  std::vector<IptablesRule> rules = std::move(exceptions);
  if (!spec.only) rules.push_back({chain, with_words({"!", "-d", multicast, "-j", "MASQUERADE"}, comment)});
  for (const Cidr& destination : spec.only.value_or(std::vector<Cidr>())) {
    if (destination.family() != family) continue;
    rules.push_back({chain, with_words({"-d", destination.to_string(), "-j", "MASQUERADE"}, comment)});
  }
  rules.insert(rules.end(), jumps.begin(), jumps.end());
  return rules;
}

Words command_of(const char* command, const IptablesRule& rule) {
  return with_words({command, rule.chain}, rule.match);
}

Status ensure_chain(const Iptables& iptables, const std::string& chain, Rollback& undo) {
  CNIO_LET(const bool exists, iptables.succeeds({"-S", chain, "1"}));
  if (exists) return {};
  // Before: iptables may fail when its work is done.
  undo.add("remove iptables chain " + chain, [iptables, chain]() -> Status {
    CNIO_LET(const bool there, iptables.succeeds({"-S", chain, "1"}));
    return there ? iptables.run({"-X", chain}) : Status();
  });
  return iptables.run({"-N", chain});
}

Status ensure_rule(const Iptables& iptables, const IptablesRule& rule, Rollback& undo) {
  CNIO_LET(const bool exists, iptables.succeeds(command_of("-C", rule)));
  if (exists) return {};
  undo.add("remove a rule of iptables chain " + rule.chain, [iptables, rule]() -> Status {
    CNIO_LET(const bool there, iptables.succeeds(command_of("-C", rule)));
    return there ? iptables.run(command_of("-D", rule)) : Status();
  });
  return iptables.run(command_of(rule.first ? "-I" : "-A", rule));
}

// A line of `iptables -S`, as far as it matters here.
struct ListedRule {
  Words words;  // "-A", chain, ...

  [[nodiscard]] std::string value_of(std::string_view option) const {
    const auto at = std::find(words.begin(), words.end(), option);
    return at == words.end() || at + 1 == words.end() ? std::string() : *(at + 1);
  }
  [[nodiscard]] std::optional<Cidr> source() const {
    const std::string text = value_of("-s");
    if (const auto cidr = Cidr::parse(text)) return cidr;
    const auto address = IpAddr::parse(text);
    return address ? std::optional(Cidr::host(*address)) : std::nullopt;
  }
};

std::vector<ListedRule> parse_listing(std::string_view listing) {
  std::vector<ListedRule> rules;
  while (!listing.empty()) {
    const size_t end = std::min(listing.find('\n'), listing.size());
    ListedRule rule = {split_iptables_line(listing.substr(0, end))};
    if (rule.words.size() > 2 && rule.words[0] == "-A") rules.push_back(std::move(rule));
    listing.remove_prefix(std::min(end + 1, listing.size()));
  }
  return rules;
}

Status remove_legacy_chain(const Iptables& iptables, const SharedChain& chain, MasqueradeRecord& record) {
  CNIO_LET(const bool exists, iptables.succeeds({"-S", chain.name, "1"}));
  if (!exists) return {};
  CNIO_LET(const std::string listing, iptables.read({"-S", kIptablesPostrouting}));
  bool still_used = false;
  RemovedSources sources;
  for (ListedRule& rule : parse_listing(listing)) {
    const bool into = rule.value_of("-j") == chain.name;
    const bool goes = into && chain.holds_jump(rule.source(), rule.value_of("--comment"));
    if (rule.value_of("-j").starts_with(kIptablesChainPrefix)) sources.note(rule.source(), goes);
    if (into && !goes) still_used = true;
    if (!goes) continue;
    rule.words[0] = "-D";
    CNIO_TRY(iptables.run(rule.words));
  }
  sources.add_to(record);
  if (still_used) return {};
  CNIO_TRY(iptables.run({"-F", chain.name}));
  return iptables.run({"-X", chain.name});
}

}  // namespace

Status install_iptables_masquerade(const MasqueradeSpec& spec, const protocol::Environment& environment,
                                   Rollback& undo) {
  for (const Family family : kFamilies) {
    const auto rules = iptables_rules(spec, family);
    if (rules.empty()) continue;
    CNIO_LET(const Iptables iptables, Iptables::find(family, environment));
    CNIO_TRY(ensure_chain(iptables, iptables_chain(spec.who), undo));
    for (const IptablesRule& rule : rules) CNIO_TRY(ensure_rule(iptables, rule, undo));
  }
  return {};
}

Status check_iptables_masquerade(const MasqueradeSpec& spec, const protocol::Environment& environment) {
  for (const Family family : kFamilies) {
    const auto rules = iptables_rules(spec, family);
    if (rules.empty()) continue;
    CNIO_LET(const Iptables iptables, Iptables::find(family, environment));
    for (const IptablesRule& rule : rules) {
      CNIO_LET(const bool exists, iptables.succeeds(command_of("-C", rule)));
      if (exists) continue;
      std::string text;
      for (const std::string& word : rule.match) text += " " + word;
      return Error::make(Code::kCheckFailed, "masquerading is incomplete: iptables chain " + rule.chain + " (" +
                                                 std::string(family_name(family)) + ") has no rule" + text);
    }
  }
  return {};
}

Status remove_iptables_legacy_chain(const SharedChain& chain, const protocol::Environment& environment,
                                    MasqueradeRecord& record) {
  ErrorList errors;
  for (const Family family : kFamilies) {
    const auto iptables = Iptables::find_legacy(family, environment);
    if (!iptables.ok()) {
      errors.collect(iptables.error());
    } else if (iptables.value()) {
      errors.collect(remove_legacy_chain(*iptables.value(), chain, record));
    }
  }
  return errors.status();
}

Status collect_iptables_legacy_chains(const std::string& network, const std::vector<protocol::Attachment>& valid,
                                      const protocol::Environment& environment) {
  const auto keep = valid_iptables_chains(network, valid);
  const std::string prefix = iptables_comment_prefix(network);
  ErrorList errors;
  for (const Family family : kFamilies) {
    CNIO_LET(const auto iptables, Iptables::find_legacy(family, environment));
    if (!iptables) continue;
    CNIO_LET(const std::string listing, iptables->read({"-S"}));
    std::set<std::string> stale;
    for (const ListedRule& rule : parse_listing(listing)) {
      const std::string& chain = rule.words[1];
      const bool ours = chain.starts_with(kIptablesChainPrefix) && rule.value_of("--comment").starts_with(prefix);
      if (ours && std::find(keep.begin(), keep.end(), chain) == keep.end()) stale.insert(chain);
    }
    for (const std::string& chain : stale) {
      MasqueradeRecord record;
      errors.collect(remove_legacy_chain(*iptables, {chain, prefix, {}}, record));
    }
  }
  return errors.status();
}

}  // namespace cnio::firewall
