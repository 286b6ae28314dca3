// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_visible.hpp"

#include <algorithm>
#include <functional>
#include <netinet/in.h>

#include "cnio/net/netns.hpp"

#include "firewall/port_map_rules.hpp"

namespace cnio::firewall {
namespace {

constexpr std::string_view kOperation = "map ports by iptables' chains";

net::NftTable nat_table(Family family) {
  return {family == Family::kIpv4 ? net::NftFamily::kIpv4 : net::NftFamily::kIpv6, "nat"};
}

// iptables' own chains at the hooks, where it makes them.
const net::NftBaseChain kNatPrerouting = {"PREROUTING", net::NftBaseChain::Hook::kNatPrerouting, -100};
const net::NftBaseChain kNatOutput = {"OUTPUT", net::NftBaseChain::Hook::kNatOutput, -100};
const net::NftBaseChain kNatPostrouting = {"POSTROUTING", net::NftBaseChain::Hook::kNatPostrouting, 100};

bool is_note(const net::NftProgramRule& rule) { return !owner_text(rule.comment).empty(); }

// One family's table nat, of which the chains were looked at that an attachment may have to do with.
class Nat {
 public:
  static Result<Nat> look(net::NftConnection& nft, Family family, const RuleOwner& owner) {
    Nat nat(nft, family, owner);
    net::NftQuestion question;
    question.chains = {"PREROUTING",  "OUTPUT",         "POSTROUTING",  kHostPortChain,
                       kSetMarkChain, kMasqueradeChain, nat.reference_, nat.own_};
    question.rules_of = kMasqueradeChain;  // the end of a question has to be rules; these are few
    CNIO_LET(nat.view_, nft.view(nat.table_, question));
    CNIO_LET(nat.entries_, nat.rules(kHostPortChain));
    for (net::NftChain& chain : nat.view_.chains) {
      if (!chain.name.starts_with(kPodChainPrefix) || !chain.comment.empty()) continue;
      CNIO_LET(chain.comment, nat.note_of(chain.name));
    }
    return nat;
  }

  [[nodiscard]] const net::NftTable& table() const { return table_; }
  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool has(const std::string& chain) const { return view_.find_chain(chain) != nullptr; }
  [[nodiscard]] const net::NftChain* find(const std::string& chain) const { return view_.find_chain(chain); }
  [[nodiscard]] const std::vector<net::NftProgramRule>& entries() const { return entries_; }

  // Why the kernel does not call its chains as it would call iptables'; empty if it does, or they are not there.
  [[nodiscard]] std::string fault() const {
    const std::string name = std::string("table ").append(family_ == Family::kIpv4 ? "ip" : "ip6").append(" nat");
    if (view_.table && view_.table->dormant) return name + " is dormant, so the kernel ignores it";
    for (const net::NftBaseChain* chain : {&kNatPrerouting, &kNatOutput, &kNatPostrouting}) {
      const net::NftChain* found = find(chain->name);
      const std::string mismatch = found != nullptr ? chain->mismatch(*found) : std::string();
      if (!mismatch.empty()) return "chain " + chain->name + " of " + name + " " + mismatch;
    }
    return {};
  }
  [[nodiscard]] std::string hint() const {
    return std::string("see `nft list table ").append(family_ == Family::kIpv4 ? "ip" : "ip6").append(" nat`");
  }

  // The chains that the owner has, by what they say; one that says nothing is the reference's, or iptables-restore made
  // it anew, and then its name counts.
  [[nodiscard]] std::vector<std::string> chains_of_owner() const {
    std::vector<std::string> chains;
    for (const std::string& name : {reference_, own_}) {
      const net::NftChain* found = view_.find_chain(name);
      if (found != nullptr && (found->comment.empty() || belongs_to(found->comment, owner_))) chains.push_back(name);
    }
    return chains;
  }

  // The chain for new rules: the reference's, unless another attachment has it.
  [[nodiscard]] const std::string& free_chain() const {
    const net::NftChain* found = view_.find_chain(reference_);
    const bool taken = found != nullptr && !found->comment.empty() && !belongs_to(found->comment, owner_);
    return taken ? own_ : reference_;
  }

  // None of a chain that was not there.
  Result<std::vector<net::NftProgramRule>> rules(const std::string& chain) {
    if (!has(chain)) return std::vector<net::NftProgramRule>();
    return nft_->list_programs(table_, chain);
  }

  // What the chain says of its owner. What the iptables program cannot write as a comment of the chain, it writes as a
  // rule that does nothing.
  Result<std::string> note_of(const std::string& chain) {
    CNIO_LET(const std::optional<net::NftChain> found, nft_->find_chain(table_, chain));
    if (found && !found->comment.empty()) return found->comment;
    CNIO_LET(const std::vector<net::NftProgramRule> rules, nft_->list_programs(table_, chain));
    return !rules.empty() && is_note(rules[0]) ? rules[0].comment : std::string();
  }

 private:
  Nat(net::NftConnection& nft, Family family, const RuleOwner& owner)
      : nft_(&nft),
        family_(family),
        table_(nat_table(family)),
        owner_(owner),
        reference_(reference_pod_chain(owner)),
        own_(own_pod_chain(owner)) {}

  net::NftConnection* nft_;
  Family family_;
  net::NftTable table_;
  RuleOwner owner_;
  std::string reference_;
  std::string own_;
  net::NftView view_;
  std::vector<net::NftProgramRule> entries_;
};

bool holds(const std::vector<net::NftProgramRule>& rules, const net::NftProgram& program) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const net::NftProgramRule& rule) { return program.same_effect(rule.program); });
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// ---- who has a port

bool overlap(const PortMapping& mapping, const XtablesPorts& theirs) {
  if (!theirs.cover(mapping.protocol, mapping.host_port)) return false;
  const auto ours = mapping.only_address();
  return !ours || !theirs.destination || *ours == *theirs.destination;
}

std::string holder_of(std::string_view note, const net::NftProgramRule& entry) {
  if (!owner_text(note).empty()) return std::string(owner_text(note));
  const auto owner = owner_in_entry_comment(entry.comment);
  return owner ? printable(owner->network + "/" + owner->attachment.container_id) : "chain " + entry.program.target();
}

// Where the chain sends what goes to this port; nothing if it does not.
Result<std::optional<IpAddr>> translation_of(Nat& nat, net::NftConnection& nft, const std::string& chain,
                                             const PortMapping& mapping) {
  CNIO_LET(const std::vector<net::NftProgramRule> rules, nft.list_programs(nat.table(), chain));
  for (const net::NftProgramRule& rule : rules) {
    const XtablesPorts ports = ports_of(rule.program, nat.family());
    if (ports.translated && overlap(mapping, ports)) return ports.translated;
  }
  return std::optional<IpAddr>();
}

// The chains of others that lead a port of ours elsewhere are in the way; those that lead to our pod's own address are
// of one that is gone.
Result<std::vector<std::string>> find_predecessors(Nat& nat, net::NftConnection& nft, const PortMapSpec& spec) {
  std::vector<std::string> chains = nat.chains_of_owner();
  const std::optional<Cidr> pod = mapped_address(spec, nat.family());
  for (const net::NftProgramRule& entry : nat.entries()) {
    const std::string target = entry.program.target();
    if (!pod || target.empty() || contains(chains, target)) continue;
    const XtablesPorts ports = ports_of(entry.program, nat.family());
    for (const PortMapping& mapping : spec.mappings) {
      if (!mapping.serves(nat.family()) || !ports.cover(mapping.protocol, mapping.host_port)) continue;
      CNIO_LET(const std::optional<IpAddr> translated, translation_of(nat, nft, target, mapping));
      if (!translated || contains(chains, target)) continue;
      if (*translated != pod->addr) {
        CNIO_LET(const std::string note, nat.note_of(target));
        return port_is_taken(mapping, holder_of(note, entry));
      }
      chains.push_back(target);
    }
  }
  return chains;
}

// ---- ADD

// Chains that are there are left alone: a change that names them has the kernel wait for a grace period, when the
// socket is closed, although nothing is to be changed in them.
void ensure_hooked(const Nat& nat, const net::NftBaseChain& wanted, net::NftBatch& batch) {
  if (!nat.has(wanted.name)) batch.ensure_base_chain(wanted);
}

void ensure_chain(const Nat& nat, const std::string& chain, net::NftBatch& batch) {
  if (!nat.has(chain)) batch.ensure_chain(chain, {});
}

// Unless it is there. iptables' chain POSTROUTING gets it in front, as the reference does it.
Status ensure_rule(Nat& nat, const std::string& chain, const XtablesRule& rule, net::NftBatch& batch,
                   bool first = false) {
  const net::NftProgram program = program_of(rule, nat.family());
  CNIO_LET(const std::vector<net::NftProgramRule> rules, nat.rules(chain));
  if (holds(rules, program)) return {};
  if (first) {
    batch.insert_program(chain, program);
  } else {
    batch.append_program(chain, program);
  }
  return {};
}

// Where the mark is set: "" if each of the pod's rules has to do it, because the shared chain sets another one.
Result<std::string> ensure_mark_chain(Nat& nat, net::NftConnection& nft, const PortMapSpec& spec,
                                      net::NftBatch& batch) {
  if (!spec.set_mark_chain.empty()) {
    CNIO_LET(const bool there, nft.has_chain(nat.table(), spec.set_mark_chain));
    if (there) return spec.set_mark_chain;
    return Error::config("externalSetMarkChain", "there is no chain " + quote(spec.set_mark_chain) + " in table nat")
        .hint("the program that owns it has to make it first");
  }
  ensure_chain(nat, kSetMarkChain, batch);
  ensure_chain(nat, kMasqueradeChain, batch);
  ensure_hooked(nat, kNatPostrouting, batch);
  CNIO_TRY(ensure_rule(nat, kNatPostrouting.name, to_masquerading(), batch, true));
  CNIO_TRY(ensure_rule(nat, kMasqueradeChain, masquerade_marked(spec.mark), batch));
  CNIO_LET(const std::vector<net::NftProgramRule> marking, nat.rules(kSetMarkChain));
  const net::NftProgram wanted = program_of(set_mark(spec.mark), nat.family());
  if (marking.empty()) {
    batch.append_program(kSetMarkChain, wanted);
    return std::string(kSetMarkChain);
  }
  return marking.size() == 1 && holds(marking, wanted) ? std::string(kSetMarkChain) : std::string();
}

void remove_chains(const Nat& nat, const std::vector<std::string>& chains, net::NftBatch& batch) {
  for (const net::NftProgramRule& entry : nat.entries()) {
    if (contains(chains, entry.program.target())) batch.delete_rule(kHostPortChain, entry.handle);
  }
  for (const std::string& chain : chains) batch.flush_chain(chain);
  for (const std::string& chain : chains) batch.delete_chain(chain);
}

Status add_rules(Nat& nat, net::NftConnection& nft, const PortMapSpec& spec, net::NftBatch& batch) {
  if (const std::string fault = nat.fault(); !fault.empty())
    return Error::make(Code::kConflict, fault).hint(nat.hint());
  batch.ensure_table({});
  std::string mark_chain;
  if (spec.snat) {
    CNIO_LET(mark_chain, ensure_mark_chain(nat, nft, spec, batch));
  }
  ensure_chain(nat, kHostPortChain, batch);
  for (const net::NftBaseChain* chain : {&kNatPrerouting, &kNatOutput}) {
    ensure_hooked(nat, *chain, batch);
    CNIO_TRY(ensure_rule(nat, chain->name, to_host_ports(), batch));
  }
  const std::string& pod_chain = nat.free_chain();
  batch.create_chain(pod_chain, owner_comment(spec.owner));
  for (const XtablesRule& rule : pod_rules(spec, nat.family(), mark_chain)) {
    batch.append_program(pod_chain, program_of(rule, nat.family()));
  }
  for (const XtablesRule& rule : entry_rules(spec, nat.family(), pod_chain)) {
    batch.append_program(kHostPortChain, program_of(rule, nat.family()));
  }
  return {};
}

Status plan(net::NftConnection& nft, const PortMapSpec& spec, Family family, net::NftBatch& batch) {
  CNIO_LET(Nat nat, Nat::look(nft, family, spec.owner));
  CNIO_LET(const std::vector<std::string> chains, find_predecessors(nat, nft, spec));
  remove_chains(nat, chains, batch);
  return mapped_address(spec, family) ? add_rules(nat, nft, spec, batch) : Status();
}

// Both families' changes at once.
Status change(net::NftConnection& nft, const std::function<Status(Family, net::NftBatch&)>& work) {
  return net::retry_while_changing([&]() -> Status {
    CNIO_LET(const uint32_t generation, nft.generation());
    net::NftBatch batch(nat_table(Family::kIpv4), generation);
    net::NftBatch second(nat_table(Family::kIpv6));
    CNIO_TRY(work(Family::kIpv4, batch));
    CNIO_TRY(work(Family::kIpv6, second));
    batch.join(std::move(second));
    return nft.commit(batch, kOperation);
  });
}

}  // namespace

Status install_visible_port_map(net::NftConnection& nft, const PortMapSpec& spec) {
  return change(nft, [&](Family family, net::NftBatch& batch) { return plan(nft, spec, family, batch); });
}

Status refuse_visible_ports(net::NftConnection& nft, const PortMapSpec& spec) {
  for (const Family family : kFamilies) {
    CNIO_LET(Nat nat, Nat::look(nft, family, spec.owner));
    CNIO_TRY(find_predecessors(nat, nft, spec));
  }
  return {};
}

// ---- DEL and GC

namespace {

// Of the reference before 0.8, which led to chains of their own from this one.
Status remove_former(net::NftConnection& nft, const RuleOwner& owner, Family family, net::NftBatch& batch) {
  const std::string chain = former_pod_chain(owner);
  CNIO_LET(const bool there, nft.has_chain(nat_table(family), chain));
  if (!there) return {};
  CNIO_LET(const std::vector<net::NftRule> rules, nft.list_rules(nat_table(family), kFormerSnatChain));
  for (const net::NftRule& rule : rules) {
    if (rule.target == chain) batch.delete_rule(kFormerSnatChain, rule.handle);
  }
  batch.flush_chain(chain);
  batch.delete_chain(chain);
  return {};
}

}  // namespace

Status remove_visible_port_map(net::NftConnection& nft, const RuleOwner& owner) {
  return change(nft, [&](Family family, net::NftBatch& batch) -> Status {
    CNIO_LET(const Nat nat, Nat::look(nft, family, owner));
    remove_chains(nat, nat.chains_of_owner(), batch);
    return remove_former(nft, owner, family, batch);
  });
}

namespace {

// Chains of the network's attachments that are not valid: by what they say, or by what the reference's rules say that
// lead to them.
Result<std::vector<std::string>> stale_chains(net::NftConnection& nft, Nat& nat, const std::string& network,
                                              const std::vector<protocol::Attachment>& valid) {
  const StaleOwners stale(network, valid);
  std::vector<std::string> unnamed;
  std::vector<std::string> out;
  CNIO_LET(const std::vector<net::NftChain> chains, nft.list_chains(nat.table()));
  for (const net::NftChain& chain : chains) {
    if (!chain.name.starts_with(kPodChainPrefix)) continue;
    std::string note = chain.comment;
    if (note.empty()) {
      CNIO_LET(note, nat.note_of(chain.name));
    }
    if (note.empty()) unnamed.push_back(chain.name);
    if (stale.contain(note)) out.push_back(chain.name);
  }
  for (const net::NftProgramRule& entry : nat.entries()) {
    const std::string target = entry.program.target();
    const auto owner = owner_in_entry_comment(entry.comment);
    if (!owner || owner->network != network || !is_stale_container(*owner, valid) || !contains(unnamed, target))
      continue;
    if (reference_pod_chain(*owner) == target && !contains(out, target)) out.push_back(target);
  }
  return out;
}

}  // namespace

Status collect_visible_port_map(net::NftConnection& nft, const std::string& network,
                                const std::vector<protocol::Attachment>& valid) {
  return change(nft, [&](Family family, net::NftBatch& batch) -> Status {
    CNIO_LET(Nat nat, Nat::look(nft, family, {network, {}}));
    CNIO_LET(const std::vector<std::string> chains, stale_chains(nft, nat, network, valid));
    remove_chains(nat, chains, batch);
    return {};
  });
}

// ---- CHECK

namespace {

Error is_missing(const Nat& nat, const std::string& what) {
  const std::string program = nat.family() == Family::kIpv4 ? "iptables" : "ip6tables";
  return Error::make(Code::kCheckFailed, what).hint("see `" + program + " -t nat -S`");
}

Status check_rule(Nat& nat, const std::string& chain, const XtablesRule& rule) {
  CNIO_LET(const std::vector<net::NftProgramRule> rules, nat.rules(chain));
  if (holds(rules, program_of(rule, nat.family()))) return {};
  const std::string target = rule.jump.empty() ? "masquerades" : "leads to " + rule.jump;
  return is_missing(nat, "no rule of chain " + chain + " in table nat " + target);
}

// All of them in this order and no others, but for a note of whose they are.
bool same_rules(const std::vector<net::NftProgramRule>& found, const std::vector<XtablesRule>& wanted, Family family) {
  const bool noted = !found.empty() && is_note(found[0]);
  return std::equal(found.begin() + (noted ? 1 : 0), found.end(), wanted.begin(), wanted.end(),
                    [&](const net::NftProgramRule& rule, const XtablesRule& want) {
                      return program_of(want, family).same_effect(rule.program);
                    });
}

Status check_shared(Nat& nat, const PortMapSpec& spec) {
  if (const std::string fault = nat.fault(); !fault.empty()) return is_missing(nat, fault);
  for (const net::NftBaseChain* chain : {&kNatPrerouting, &kNatOutput}) {
    CNIO_TRY(check_rule(nat, chain->name, to_host_ports()));
  }
  if (!spec.snat || !spec.set_mark_chain.empty()) return {};
  CNIO_TRY(check_rule(nat, kNatPostrouting.name, to_masquerading()));
  return check_rule(nat, kMasqueradeChain, masquerade_marked(spec.mark));
}

Status check_pod_chain(Nat& nat, const PortMapSpec& spec, const std::string& chain) {
  CNIO_LET(const std::vector<net::NftProgramRule> rules, nat.rules(chain));
  const std::string shared = spec.set_mark_chain.empty() ? kSetMarkChain : spec.set_mark_chain;
  const bool right = same_rules(rules, pod_rules(spec, nat.family(), shared), nat.family()) ||
                     same_rules(rules, pod_rules(spec, nat.family(), {}), nat.family());
  if (!right) return is_missing(nat, "chain " + chain + " in table nat does not have the rules of the pod's ports");
  for (const XtablesRule& rule : entry_rules(spec, nat.family(), chain)) {
    CNIO_TRY(check_rule(nat, kHostPortChain, rule));
  }
  return {};
}

}  // namespace

Status check_visible_port_map(net::NftConnection& nft, const PortMapSpec& spec) {
  for (const Family family : kFamilies) {
    if (!mapped_address(spec, family)) continue;
    CNIO_LET(Nat nat, Nat::look(nft, family, spec.owner));
    CNIO_TRY(check_shared(nat, spec));
    const std::vector<std::string> chains = nat.chains_of_owner();
    if (chains.empty()) return is_missing(nat, "chain " + nat.free_chain() + " is not in table nat");
    CNIO_TRY(check_pod_chain(nat, spec, chains.front()));
  }
  return {};
}

Status rehearse_visible_port_map() {
  PortMapSpec spec;
  spec.mappings = {{IPPROTO_TCP, 1, 1, std::nullopt}, {IPPROTO_UDP, 1, 1, std::nullopt}};
  spec.pod = {*Cidr::parse("192.0.2.1/24"), *Cidr::parse("2001:db8::1/64")};
  return net::Namespace::run_in_new([&]() -> Status {
    CNIO_LET(net::NftConnection elsewhere, net::NftConnection::require({}));
    return install_visible_port_map(elsewhere, spec);
  });
}

}  // namespace cnio::firewall
