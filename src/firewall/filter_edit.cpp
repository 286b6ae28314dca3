// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/filter_edit.hpp"

#include <algorithm>

namespace cnio::firewall {
namespace {

using net::NftProgramRule;

constexpr IngressPolicy kPolicies[] = {IngressPolicy::kSameBridge, IngressPolicy::kIsolated};

// How many steps compare the interfaces of a rule that names both.
constexpr size_t kInterfaceSteps = 4;

bool begins_alike(const net::NftProgram& a, const net::NftProgram& b) {
  if (a.steps.size() < kInterfaceSteps || b.steps.size() < kInterfaceSteps) return false;
  return std::equal(a.steps.begin(), a.steps.begin() + kInterfaceSteps, b.steps.begin(),
                    [](const auto& x, const auto& y) { return x.same_effect(y); });
}

}  // namespace

net::NftTable filter_table(Family family) {
  return {family == Family::kIpv4 ? net::NftFamily::kIpv4 : net::NftFamily::kIpv6, "filter"};
}

FilterEdit::FilterEdit(Family family, bool has_forward, std::vector<NftProgramRule> rules,
                       std::vector<std::string> bridges)
    : family_(family),
      has_forward_(has_forward),
      rules_(std::move(rules)),
      bridges_(std::move(bridges)),
      batch_(filter_table(family)) {}

Result<FilterEdit> FilterEdit::begin(net::NftConnection& nft, Family family) {
  CNIO_LET(const auto forward, nft.find_chain(filter_table(family), kForwardChain));
  CNIO_LET(std::vector<NftProgramRule> rules, nft.list_programs(filter_table(family)));
  std::vector<std::string> bridges;
  const auto in_stage = [](const NftProgramRule& rule) { return rule.chain == kFirstStage; };
  if (std::any_of(rules.begin(), rules.end(), in_stage)) {
    CNIO_LET(const std::vector<net::NftRule> stage, nft.list_rules(filter_table(family), kFirstStage));
    for (const net::NftRule& rule : stage) {
      const bool leaves = rule.action == net::NftRule::Action::kJump && rule.target == kSecondStage;
      if (leaves && !rule.input_interface.empty()) bridges.push_back(rule.input_interface);
    }
  }
  return FilterEdit(family, forward.has_value(), std::move(rules), std::move(bridges));
}

bool FilterEdit::is(const NftProgramRule& rule, const std::string& chain, const XtablesRule& wanted) const {
  return rule.chain == chain && program_of(wanted, family_).same_effect(rule.program);
}

bool FilterEdit::has(const std::string& chain, const XtablesRule& rule) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const auto& each) { return is(each, chain, rule); });
}

bool FilterEdit::knows(const RuleOwner& owner) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const auto& each) { return belongs_to(each.note, owner); });
}

bool FilterEdit::has_noted(const std::string& chain, const XtablesRule& rule, const RuleOwner& owner) const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [&](const auto& each) { return belongs_to(each.note, owner) && is(each, chain, rule); });
}

bool FilterEdit::has_foreign_pods() const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const auto& each) {
    return each.chain == kPodChain && each.note.empty() && each.program.target().empty() &&
           !is(each, kPodChain, marked_rule());
  });
}

void FilterEdit::ensure_chains(const std::vector<std::string>& chains) {
  batch_.ensure_table({});
  if (!has_forward_) {
    batch_.ensure_base_chain({kForwardChain, net::NftBaseChain::Hook::kFilterForward, 0});
    has_forward_ = true;
  }
  for (const std::string& chain : chains) batch_.ensure_chain(chain, {});
}

void FilterEdit::ensure_first(const std::string& chain, const XtablesRule& rule) {
  if (!has(chain, rule)) batch_.insert_program(chain, program_of(rule, family_));
}

void FilterEdit::ensure_last(const std::string& chain, const XtablesRule& rule) {
  if (!has(chain, rule)) batch_.append_program(chain, program_of(rule, family_));
}

void FilterEdit::put_pod_chain(const std::string& admin_chain) {
  ensure_chains({kPodChain, admin_chain});
  ensure_first(kForwardChain, pod_chain_jump());
  ensure_first(kPodChain, admin_jump(admin_chain));
}

void FilterEdit::put_pod(const RuleOwner& owner, const std::vector<IpAddr>& addresses) {
  std::vector<XtablesRule> missing;
  for (const IpAddr& address : addresses) {
    for (const XtablesRule& rule : pod_rules(address)) missing.push_back(rule);
  }
  remove([&](const NftProgramRule& rule) {
    if (rule.chain != kPodChain || !belongs_to(rule.note, owner)) return false;
    const auto wanted = std::find_if(missing.begin(), missing.end(),
                                     [&](const auto& each) { return is(rule, kPodChain, each); });
    if (wanted == missing.end()) return true;
    missing.erase(wanted);
    return false;
  });
  for (const XtablesRule& rule : missing) {
    batch_.append_noted(kPodChain, program_of(rule, family_), owner_comment(owner));
  }
}

void FilterEdit::put_marked() { ensure_last(kPodChain, marked_rule()); }

void FilterEdit::put_policy(const std::string& bridge, IngressPolicy policy) {
  const std::vector<XtablesRule> wanted = first_stage_rules(bridge, policy);
  const net::NftProgram loop = program_of(own_loop_rule(bridge, IpAddr()), family_);
  remove([&](const NftProgramRule& rule) {
    if (rule.chain == kSecondStage) return wanted.empty() && is(rule, kSecondStage, second_stage_rule(bridge));
    if (rule.chain != kFirstStage) return false;
    if (!rule.note.empty()) return policy != IngressPolicy::kIsolated && begins_alike(rule.program, loop);
    for (const XtablesRule& each : wanted) {
      if (is(rule, kFirstStage, each)) return false;
    }
    for (const IngressPolicy other : kPolicies) {
      for (const XtablesRule& each : first_stage_rules(bridge, other)) {
        if (is(rule, kFirstStage, each)) return true;
      }
    }
    return false;
  });
  if (wanted.empty()) return;
  ensure_chains({kFirstStage, kSecondStage});
  ensure_first(kForwardChain, stage_jump());
  for (auto rule = wanted.rbegin(); rule != wanted.rend(); ++rule) ensure_first(kFirstStage, *rule);
  ensure_first(kSecondStage, second_stage_rule(bridge));
  for (const std::string& stage : {kFirstStage, kSecondStage}) ensure_last(stage, stage_end());
}

void FilterEdit::put_own_loops(const std::string& bridge, const RuleOwner& owner,
                               const std::vector<IpAddr>& addresses) {
  for (const IpAddr& address : addresses) {
    const XtablesRule rule = own_loop_rule(bridge, address);
    if (has_noted(kFirstStage, rule, owner)) continue;
    batch_.insert_noted(kFirstStage, program_of(rule, family_), owner_comment(owner));
  }
}

void FilterEdit::remove(const Choice& chosen) {
  std::erase_if(rules_, [&](const NftProgramRule& rule) {
    const bool goes = chosen(rule);
    if (goes) batch_.delete_rule(rule.chain, rule.handle);
    return goes;
  });
}

void FilterEdit::remove_foreign(const IpAddr& address) {
  std::vector<XtablesRule> left = pod_rules(address);
  remove([&](const NftProgramRule& rule) {
    if (rule.chain != kPodChain || !rule.note.empty()) return false;
    const auto found = std::find_if(left.begin(), left.end(), [&](const auto& each) { return is(rule, kPodChain, each); });
    if (found == left.end()) return false;
    left.erase(found);  // one of each: another pod of the reference may have the same
    return true;
  });
}

void FilterEdit::tidy_up_stages() {
  bool any = false;
  for (const NftProgramRule& rule : rules_) {
    const bool stage = rule.chain == kFirstStage || rule.chain == kSecondStage;
    if (!stage) continue;
    if (!is(rule, rule.chain, stage_end())) return;
    any = true;
  }
  if (!any) return;
  remove([&](const NftProgramRule& rule) { return is(rule, kForwardChain, stage_jump()); });
  const auto leads_there = [](const NftProgramRule& rule) {
    const std::string target = rule.program.target();
    return target == kFirstStage || target == kSecondStage;
  };
  if (std::any_of(rules_.begin(), rules_.end(), leads_there)) return;
  batch_.delete_chain(kFirstStage);
  batch_.delete_chain(kSecondStage);
}

}  // namespace cnio::firewall
