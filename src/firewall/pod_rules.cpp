// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/pod_rules.hpp"

namespace cnio::firewall {
namespace {

const std::string kComment = "CNI firewall plugin rules";
const std::string kBothPolicies = kComment + " (ingressPolicy: same-bridge|isolated)";

XtablesRule jump_with_comment(const std::string& target, const std::string& comment) {
  XtablesRule rule;
  rule.comment = comment;
  rule.jump = target;
  return rule;
}

std::string comment_of(IngressPolicy policy) {
  const std::string name = policy == IngressPolicy::kIsolated ? "isolated" : "same-bridge";
  return kComment + " (ingressPolicy: " + name + ")";
}

XtablesRule accept_to(const IpAddr& address, XtablesState state) {
  XtablesRule rule;
  rule.destination = Cidr::host(address);
  rule.state = state;
  rule.jump = "ACCEPT";
  return rule;
}

}  // namespace

XtablesRule pod_chain_jump() { return jump_with_comment(kPodChain, kComment); }

XtablesRule stage_jump() { return jump_with_comment(kFirstStage, kBothPolicies); }

XtablesRule admin_jump(const std::string& admin_chain) {
  return jump_with_comment(admin_chain, "CNI firewall plugin admin overrides");
}

std::vector<XtablesRule> reference_pod_rules(const IpAddr& address) {
  XtablesRule sent;
  sent.source = Cidr::host(address);
  sent.jump = "ACCEPT";
  return {accept_to(address, XtablesState::kRelatedEstablished), sent};
}

XtablesRule mapped_rule(const IpAddr& address) { return accept_to(address, XtablesState::kDnat); }

std::vector<XtablesRule> pod_rules(const IpAddr& address) {
  std::vector<XtablesRule> rules = reference_pod_rules(address);
  rules.push_back(mapped_rule(address));
  return rules;
}

XtablesRule marked_rule() {
  XtablesRule rule;
  rule.mark = XtablesMark{kPassMark, kPassMark};
  rule.jump = "ACCEPT";
  return rule;
}

XtablesRule stage_end() { return jump_with_comment("RETURN", kBothPolicies); }

std::vector<XtablesRule> first_stage_rules(const std::string& bridge, IngressPolicy policy) {
  if (policy == IngressPolicy::kOpen) return {};
  XtablesRule leaves = jump_with_comment(kSecondStage, comment_of(policy));
  leaves.input_interface = leaves.output_interface = bridge;
  leaves.other_output = true;
  if (policy == IngressPolicy::kSameBridge) return {leaves};
  XtablesRule stays = jump_with_comment("DROP", comment_of(policy));
  stays.input_interface = stays.output_interface = bridge;
  return {stays, leaves};
}

XtablesRule second_stage_rule(const std::string& bridge) {
  XtablesRule rule = jump_with_comment("DROP", kBothPolicies);
  rule.output_interface = bridge;
  return rule;
}

XtablesRule own_loop_rule(const std::string& bridge, const IpAddr& address) {
  XtablesRule rule;
  rule.source = rule.destination = Cidr::host(address);
  rule.input_interface = rule.output_interface = bridge;
  rule.jump = "RETURN";
  return rule;
}

}  // namespace cnio::firewall
