// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_program.hpp"

#include <algorithm>
#include <set>

#include "cnio/base/error_list.hpp"

#include "firewall/port_map_rules.hpp"

namespace cnio::firewall {
namespace {

using Words = std::vector<std::string>;

// The value behind an option; empty if it is not there.
std::string option(const Words& words, const std::string& name) {
  const auto found = std::find(words.begin(), words.end(), name);
  return found == words.end() || found + 1 == words.end() ? std::string() : *(found + 1);
}

// What `iptables -S` tells of a table.
class Listing {
 public:
  struct Rule {
    std::string chain;
    Words words;
  };

  static Result<Listing> read(const Iptables& iptables) {
    CNIO_LET(const std::string text, iptables.read({"-S"}));
    Listing listing;
    for (std::string_view rest = text; !rest.empty();) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      listing.keep(split_iptables_line(rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return listing;
  }

  [[nodiscard]] bool has_chain(const std::string& chain) const { return chains_.contains(chain); }
  [[nodiscard]] const std::set<std::string>& chains() const { return chains_; }
  [[nodiscard]] std::vector<Words> rules_of(const std::string& chain) const {
    std::vector<Words> rules;
    for (const Rule& rule : rules_) {
      if (rule.chain == chain) rules.push_back(rule.words);
    }
    return rules;
  }
  [[nodiscard]] bool has(const std::string& chain, const Words& words) const {
    return std::any_of(rules_.begin(), rules_.end(),
                       [&](const Rule& rule) { return rule.chain == chain && rule.words == words; });
  }
  [[nodiscard]] bool has(const std::string& chain, const XtablesRule& rule) const {
    return has(chain, arguments_of(rule));
  }

  // What the first rule of a pod's chain says of its owner; empty if it says nothing: the reference made it.
  [[nodiscard]] std::string note_of(const std::string& chain) const {
    const std::vector<Words> rules = rules_of(chain);
    return rules.empty() || !option(rules[0], "-j").empty() ? std::string() : option(rules[0], "--comment");
  }
  [[nodiscard]] bool is_of(const std::string& chain, const RuleOwner& owner) const {
    const std::string note = note_of(chain);
    return has_chain(chain) && (note.empty() || belongs_to(note, owner));
  }

 private:
  void keep(Words words) {
    if (words.size() < 2) return;
    const std::string chain = words[1];
    if (words[0] == "-A") {
      rules_.push_back({chain, Words(words.begin() + 2, words.end())});
    } else {
      chains_.insert(chain);
    }
  }

  std::set<std::string> chains_;
  std::vector<Rule> rules_;
};

// Lines for iptables-restore.
class Lines {
 public:
  // Made, or emptied.
  void put_chain(const std::string& chain) { text_.append(":").append(chain).append(" - [0:0]\n"); }
  void ensure_chain(const Listing& listing, const std::string& chain) {
    if (!listing.has_chain(chain)) put_chain(chain);
  }
  void put(const std::string& command, const std::string& chain, const Words& words = {}) {
    text_.append(command).append(" ").append(chain).append(" ").append(join_iptables_words(words)).append("\n");
  }
  void put(const std::string& command, const std::string& chain, const XtablesRule& rule) {
    put(command, chain, arguments_of(rule));
  }
  void ensure(const Listing& listing, const std::string& command, const std::string& chain, const XtablesRule& rule) {
    if (!listing.has(chain, rule)) put(command, chain, rule);
  }
  // Declarations come first.
  void add(const Lines& other) { text_.append(other.text_); }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Words note(const RuleOwner& owner) { return {"-m", "comment", "--comment", owner_comment(owner)}; }

// ---- who has a port

bool overlap(const PortMapping& mapping, const Words& translation) {
  if (option(translation, "-j") != "DNAT" || option(translation, "-p") != transport_name(mapping.protocol))
    return false;
  if (option(translation, "--dport") != std::to_string(mapping.host_port)) return false;
  const auto ours = mapping.only_address();
  const std::string theirs = option(translation, "-d");
  return !ours || theirs.empty() || theirs == Cidr::host(*ours).to_string();
}

std::string holder_of(const Listing& listing, const Words& entry) {
  const std::string chain = option(entry, "-j");
  const std::string note = listing.note_of(chain);
  if (!owner_text(note).empty()) return std::string(owner_text(note));
  const auto owner = owner_in_entry_comment(option(entry, "--comment"));
  return owner ? printable(owner->network + "/" + owner->attachment.container_id) : "chain " + chain;
}

// The chains of others that lead a port of ours elsewhere are in the way; those that lead to our pod's own address are
// of one that is gone.
Result<std::vector<std::string>> find_predecessors(const Listing& listing, const PortMapSpec& spec, const Cidr& pod) {
  std::vector<std::string> gone;
  const auto pods = [&](const Words& rule) {
    const std::string to = option(rule, "--to-destination");
    const std::string address = pod.addr.to_string();
    return to.starts_with(address + ":") || to.starts_with("[" + address + "]");
  };
  for (const Words& entry : listing.rules_of(kHostPortChain)) {
    const std::string chain = option(entry, "-j");
    const bool own = chain == reference_pod_chain(spec.owner) || chain == own_pod_chain(spec.owner);
    if (own && listing.is_of(chain, spec.owner)) continue;
    for (const Words& rule : listing.rules_of(chain)) {
      for (const PortMapping& mapping : spec.mappings) {
        if (!mapping.serves(pod.family()) || !overlap(mapping, rule)) continue;
        if (!pods(rule)) return port_is_taken(mapping, holder_of(listing, entry));
        gone.push_back(chain);
      }
    }
  }
  return gone;
}

// ---- ADD

void put_removal(const Listing& listing, const std::string& chain, Lines& lines) {
  for (const char* shared : {kHostPortChain, kFormerSnatChain}) {
    for (const Words& entry : listing.rules_of(shared)) {
      if (option(entry, "-j") == chain) lines.put("-D", shared, entry);
    }
  }
  lines.put("-F", chain);
  lines.put("-X", chain);
}

std::vector<std::string> chains_of(const Listing& listing, const RuleOwner& owner) {
  std::vector<std::string> chains;
  for (const std::string& chain : {reference_pod_chain(owner), own_pod_chain(owner)}) {
    if (listing.is_of(chain, owner)) chains.push_back(chain);
  }
  if (listing.has_chain(former_pod_chain(owner))) chains.push_back(former_pod_chain(owner));
  return chains;
}

std::string shared_mark_chain(const PortMapSpec& spec) {
  return spec.set_mark_chain.empty() ? kSetMarkChain : spec.set_mark_chain;
}

// Where the mark is set: "" if the pod's own rules have to do it.
Result<std::string> put_masquerading(const Listing& listing, const PortMapSpec& spec, Lines& chains, Lines& rules) {
  if (!spec.set_mark_chain.empty()) {
    if (listing.has_chain(spec.set_mark_chain)) return spec.set_mark_chain;
    return Error::config("externalSetMarkChain", "there is no chain " + quote(spec.set_mark_chain) + " in table nat")
        .hint("the program that owns it has to make it first");
  }
  chains.ensure_chain(listing, kSetMarkChain);
  chains.ensure_chain(listing, kMasqueradeChain);
  rules.ensure(listing, "-I", "POSTROUTING", to_masquerading());
  rules.ensure(listing, "-A", kMasqueradeChain, masquerade_marked(spec.mark));
  const std::vector<Words> marking = listing.rules_of(kSetMarkChain);
  const Words wanted = arguments_of(set_mark(spec.mark));
  if (marking.empty()) rules.put("-A", kSetMarkChain, wanted);
  return marking.empty() || (marking.size() == 1 && marking[0] == wanted) ? std::string(kSetMarkChain) : std::string();
}

Result<Lines> additions(const Listing& listing, const PortMapSpec& spec, Family family) {
  Lines chains;
  Lines rules;
  std::string mark_chain;
  if (spec.snat) {
    CNIO_LET(mark_chain, put_masquerading(listing, spec, chains, rules));
  }
  chains.ensure_chain(listing, kHostPortChain);
  rules.ensure(listing, "-A", "PREROUTING", to_host_ports());
  rules.ensure(listing, "-A", "OUTPUT", to_host_ports());
  const std::string reference = reference_pod_chain(spec.owner);
  const bool free = !listing.has_chain(reference) || listing.is_of(reference, spec.owner);
  const std::string chain = free ? reference : own_pod_chain(spec.owner);
  chains.put_chain(chain);
  rules.put("-A", chain, note(spec.owner));
  for (const XtablesRule& rule : pod_rules(spec, family, mark_chain)) rules.put("-A", chain, rule);
  for (const XtablesRule& rule : entry_rules(spec, family, chain)) {
    Words words = arguments_of(rule);
    const auto jump = std::find(words.begin(), words.end(), "-j");
    words.insert(jump, spec.conditions(family).begin(), spec.conditions(family).end());
    rules.put("-A", kHostPortChain, words);
  }
  chains.add(rules);
  return chains;
}

// What is to be changed of one family's table.
Result<std::string> plan(const Iptables& iptables, const PortMapSpec& spec, Family family) {
  CNIO_LET(const Listing listing, Listing::read(iptables));
  const std::optional<Cidr> pod = mapped_address(spec, family);
  std::set<std::string> former;
  for (const std::string& chain : chains_of(listing, spec.owner)) former.insert(chain);
  if (pod) {
    CNIO_LET(const std::vector<std::string> gone, find_predecessors(listing, spec, *pod));
    former.insert(gone.begin(), gone.end());
  }
  Lines lines;
  for (const std::string& chain : former) put_removal(listing, chain, lines);
  if (pod) {
    CNIO_LET(const Lines more, additions(listing, spec, family));
    lines.add(more);
  }
  return lines.text();
}

Status remove(const Iptables& iptables, const std::function<std::vector<std::string>(const Listing&)>& choose) {
  CNIO_LET(const Listing listing, Listing::read(iptables));
  Lines lines;
  for (const std::string& chain : choose(listing)) put_removal(listing, chain, lines);
  return lines.text().empty() ? Status() : iptables.restore(lines.text());
}

}  // namespace

Result<IptablesPrograms> require_programs(const PortMapSpec& spec, const protocol::Environment& environment) {
  IptablesPrograms programs;
  for (const Family family : kFamilies) {
    if (!mapped_address(spec, family)) continue;
    CNIO_LET(Iptables iptables, Iptables::find(family, environment, "backend"));
    programs.emplace_back(family, std::move(iptables));
  }
  return programs;
}

Result<IptablesPrograms> legacy_programs(const protocol::Environment& environment) {
  IptablesPrograms programs;
  for (const Family family : kFamilies) {
    CNIO_LET(const std::optional<Iptables> iptables, Iptables::find_legacy(family, environment));
    if (iptables) programs.emplace_back(family, *iptables);
  }
  return programs;
}

Status install_port_map_by_program(const IptablesPrograms& programs, const PortMapSpec& spec) {
  std::vector<std::string> plans;  // of all families, before anything is changed
  for (const auto& program : programs) {
    CNIO_LET(std::string lines, plan(program.second, spec, program.first));
    plans.push_back(std::move(lines));
  }
  for (size_t i = 0; i < programs.size(); ++i) {
    if (!plans[i].empty()) CNIO_TRY(programs[i].second.restore(plans[i]));
  }
  return {};
}

Status remove_port_map_by_program(const IptablesPrograms& programs, const RuleOwner& owner) {
  ErrorList errors;
  for (const auto& program : programs) {
    errors.collect(remove(program.second, [&](const Listing& listing) { return chains_of(listing, owner); }));
  }
  return errors.status();
}

namespace {

// The reference's chains say by the rule that leads to them whose they are, ours by their first rule.
std::vector<std::string> stale_chains(const Listing& listing, const std::string& network,
                                      const std::vector<protocol::Attachment>& valid) {
  const StaleOwners stale(network, valid);
  std::set<std::string> out;
  for (const std::string& chain : listing.chains()) {
    if (chain.starts_with(kPodChainPrefix) && stale.contain(listing.note_of(chain))) out.insert(chain);
  }
  for (const Words& entry : listing.rules_of(kHostPortChain)) {
    const std::string chain = option(entry, "-j");
    const auto owner = owner_in_entry_comment(option(entry, "--comment"));
    if (!owner || !listing.note_of(chain).empty() || owner->network != network) continue;
    if (is_stale_container(*owner, valid) && reference_pod_chain(*owner) == chain) out.insert(chain);
  }
  return {out.begin(), out.end()};
}

}  // namespace

Status collect_port_map_by_program(const IptablesPrograms& programs, const std::string& network,
                                   const std::vector<protocol::Attachment>& valid) {
  ErrorList errors;
  for (const auto& program : programs) {
    errors.collect(
        remove(program.second, [&](const Listing& listing) { return stale_chains(listing, network, valid); }));
  }
  return errors.status();
}

namespace {

Error is_missing(const std::string& what) {
  return Error::make(Code::kCheckFailed, what).hint("see `iptables -t nat -S` and `ip6tables -t nat -S`");
}

Status check_rule(const Listing& listing, const std::string& chain, const XtablesRule& rule) {
  if (listing.has(chain, rule)) return {};
  const std::string target = rule.jump.empty() ? "masquerades" : "leads to " + rule.jump;
  return is_missing("no rule of chain " + chain + " in table nat " + target);
}

std::vector<Words> wanted_in(const PortMapSpec& spec, Family family, const std::string& mark_chain) {
  std::vector<Words> wanted = {note(spec.owner)};
  for (const XtablesRule& rule : pod_rules(spec, family, mark_chain)) wanted.push_back(arguments_of(rule));
  return wanted;
}

Status check(const Iptables& iptables, const PortMapSpec& spec, Family family) {
  CNIO_LET(const Listing listing, Listing::read(iptables));
  for (const char* hook : {"PREROUTING", "OUTPUT"}) CNIO_TRY(check_rule(listing, hook, to_host_ports()));
  if (spec.snat && spec.set_mark_chain.empty()) {
    CNIO_TRY(check_rule(listing, "POSTROUTING", to_masquerading()));
    CNIO_TRY(check_rule(listing, kMasqueradeChain, masquerade_marked(spec.mark)));
  }
  const std::vector<std::string> chains = chains_of(listing, spec.owner);
  if (chains.empty()) return is_missing("chain " + reference_pod_chain(spec.owner) + " is not in table nat");
  std::vector<Words> found = listing.rules_of(chains.front());
  if (listing.note_of(chains.front()).empty()) found.insert(found.begin(), note(spec.owner));
  if (found != wanted_in(spec, family, shared_mark_chain(spec)) && found != wanted_in(spec, family, {})) {
    return is_missing("chain " + chains.front() + " in table nat does not have the rules of the pod's ports");
  }
  // Conditions are printed in iptables' own words, so their presence is all that can be told.
  for (const XtablesRule& rule : entry_rules(spec, family, chains.front())) {
    if (spec.conditions(family).empty()) CNIO_TRY(check_rule(listing, kHostPortChain, rule));
  }
  return {};
}

}  // namespace

Status check_port_map_by_program(const IptablesPrograms& programs, const PortMapSpec& spec) {
  for (const auto& [family, iptables] : programs) {
    if (mapped_address(spec, family)) CNIO_TRY(check(iptables, spec, family));
  }
  return {};
}

}  // namespace cnio::firewall
