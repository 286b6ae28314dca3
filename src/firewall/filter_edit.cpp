// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/filter_edit.hpp"

#include <algorithm>

namespace cnio::firewall {
namespace {

constexpr IngressPolicy kPolicies[] = {IngressPolicy::kSameBridge, IngressPolicy::kIsolated};

}  // namespace

FilterEdit::FilterEdit(Family family, std::unique_ptr<FilterTable> table)
    : family_(family), table_(std::move(table)), rules_(table_->rules()) {}

bool FilterEdit::is(const PresentRule& rule, const std::string& chain, const XtablesRule& wanted) const {
  return rule.chain == chain && table_->is(rule, wanted);
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
  return std::any_of(rules_.begin(), rules_.end(), [&](const PresentRule& each) {
    const bool of_a_pod = each.chain == kPodChain && each.target.empty() && !is(each, kPodChain, marked_rule());
    return of_a_pod && each.note.empty();
  });
}

std::set<std::string> FilterEdit::policy_bridges() const {
  std::set<std::string> bridges;
  for (const PresentRule& rule : rules_) {
    const bool leaves = rule.chain == kFirstStage && rule.target == kSecondStage;
    if (leaves && !rule.input.empty()) bridges.insert(rule.input);
  }
  return bridges;
}

void FilterEdit::ensure(const std::string& chain, const XtablesRule& rule, bool first) {
  if (!has(chain, rule)) table_->put(chain, rule, first, {});
}

void FilterEdit::put_pod_chain(const std::string& admin_chain) {
  table_->ensure_chains({kPodChain, admin_chain});
  ensure(kForwardChain, pod_chain_jump(), true);
  ensure(kPodChain, admin_jump(admin_chain), true);
}

void FilterEdit::put_pod(const RuleOwner& owner, const std::vector<IpAddr>& addresses) {
  std::vector<XtablesRule> missing;
  for (const IpAddr& address : addresses) {
    for (const XtablesRule& rule : pod_rules(address)) missing.push_back(rule);
  }
  remove([&](const PresentRule& rule) {
    if (rule.chain != kPodChain || !belongs_to(rule.note, owner)) return false;
    const auto wanted =
        std::find_if(missing.begin(), missing.end(), [&](const auto& each) { return table_->is(rule, each); });
    if (wanted == missing.end()) return true;
    missing.erase(wanted);
    return false;
  });
  for (const XtablesRule& rule : missing) table_->put(kPodChain, rule, false, owner_comment(owner));
}

void FilterEdit::put_marked() { ensure(kPodChain, marked_rule(), false); }

void FilterEdit::put_policy(const std::string& bridge, IngressPolicy policy) {
  const std::vector<XtablesRule> wanted = first_stage_rules(bridge, policy);
  const auto is_one_of = [&](const PresentRule& rule, const std::vector<XtablesRule>& some) {
    return std::any_of(some.begin(), some.end(), [&](const auto& each) { return table_->is(rule, each); });
  };
  remove([&](const PresentRule& rule) {
    if (rule.chain == kSecondStage) return wanted.empty() && table_->is(rule, second_stage_rule(bridge));
    if (rule.chain != kFirstStage) return false;
    if (!rule.note.empty()) return policy != IngressPolicy::kIsolated && rule.input == bridge;
    if (is_one_of(rule, wanted)) return false;
    return std::any_of(std::begin(kPolicies), std::end(kPolicies),
                       [&](IngressPolicy other) { return is_one_of(rule, first_stage_rules(bridge, other)); });
  });
  if (wanted.empty()) return;
  table_->ensure_chains({kFirstStage, kSecondStage});
  ensure(kForwardChain, stage_jump(), true);
  for (auto rule = wanted.rbegin(); rule != wanted.rend(); ++rule) ensure(kFirstStage, *rule, true);
  ensure(kSecondStage, second_stage_rule(bridge), true);
  for (const char* stage : {kFirstStage, kSecondStage}) ensure(stage, stage_end(), false);
}

void FilterEdit::put_own_loops(const std::string& bridge, const RuleOwner& owner,
                               const std::vector<IpAddr>& addresses) {
  for (const IpAddr& address : addresses) {
    const XtablesRule rule = own_loop_rule(bridge, address);
    if (!has_noted(kFirstStage, rule, owner)) table_->put(kFirstStage, rule, true, owner_comment(owner));
  }
}

void FilterEdit::remove(const std::function<bool(const PresentRule&)>& chosen) {
  std::erase_if(rules_, [&](const PresentRule& rule) {
    const bool goes = chosen(rule);
    if (goes) table_->remove(rule);
    return goes;
  });
}

void FilterEdit::remove_foreign(const IpAddr& address) {
  std::vector<XtablesRule> left = pod_rules(address);
  remove([&](const PresentRule& rule) {
    if (rule.chain != kPodChain || !rule.note.empty()) return false;
    const auto found = std::find_if(left.begin(), left.end(), [&](const auto& each) { return table_->is(rule, each); });
    if (found == left.end()) return false;
    left.erase(found);  // one of each: another pod of the reference may have the same
    return true;
  });
}

void FilterEdit::tidy_up_stages() {
  bool any = false;
  for (const PresentRule& rule : rules_) {
    if (rule.chain != kFirstStage && rule.chain != kSecondStage) continue;
    if (!table_->is(rule, stage_end())) return;
    any = true;
  }
  if (!any) return;
  remove([&](const PresentRule& rule) { return is(rule, kForwardChain, stage_jump()); });
  const auto leads_there = [](const PresentRule& rule) {
    return rule.target == kFirstStage || rule.target == kSecondStage;
  };
  if (std::none_of(rules_.begin(), rules_.end(), leads_there)) table_->remove_chains({kFirstStage, kSecondStage});
}

}  // namespace cnio::firewall
