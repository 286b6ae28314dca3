// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/pod_plan.hpp"

#include <algorithm>
#include <set>

#include "cnio/base/error_list.hpp"
#include "cnio/net/nftables/expression.hpp"

#include "firewall/filter_edit.hpp"
#include "firewall/pod_table.hpp"

namespace cnio::firewall {
namespace {

using net::NftBatch;
using net::NftConnection;
using net::NftElement;

bool is_native(const PodFirewallSpec& spec) { return spec.backend == PodBackend::kNftables; }

// What our own table, and iptables' chains, are to keep of the policy.
IngressPolicy native_policy(const PodFirewallSpec& spec) {
  return is_native(spec) ? spec.policy : IngressPolicy::kOpen;
}
IngressPolicy visible_policy(const PodFirewallSpec& spec) {
  return is_native(spec) ? IngressPolicy::kOpen : spec.policy;
}

// An element that belongs to a bridge, and to no pod.
Status put_bridge(NftConnection& nft, NftBatch& batch, const std::string& set, const std::string& key, bool wanted) {
  CNIO_LET(const auto found, nft.find_element(pod_table(), set, key));
  if (wanted && !found) batch.add_element(set, {key});
  if (!wanted && found) batch.delete_element(set, std::string_view(key));
  return {};
}

Status put_native_policy(NftConnection& nft, NftBatch& batch, const std::string& bridge, IngressPolicy policy) {
  const bool any = policy != IngressPolicy::kOpen;
  CNIO_TRY(put_bridge(nft, batch, kBridgeSet, net::expr::bytes_of_interface(bridge), any));
  CNIO_TRY(put_bridge(nft, batch, kSameBridgeSet, loop_key(bridge), any));
  return put_bridge(nft, batch, kIsolatedSet, loop_key(bridge), policy == IngressPolicy::kIsolated);
}

Status put_native_pod(NftConnection& nft, NftBatch& batch, const PodFirewallSpec& spec) {
  const std::string comment = owner_comment(spec.owner);
  for (const IpAddr& address : spec.addresses) {
    const NftElement pod = {net::expr::bytes_of(address), {}, {}, comment};
    CNIO_TRY(take_element(nft, batch, pod_table(), pod_set(address.family()), pod));
    const NftElement loop = {loop_key(address), {}, {}, comment};
    CNIO_TRY(take_element(nft, batch, pod_table(), loop_set(address.family()), loop));
  }
  return {};
}

// What an earlier ADD of the owner made by another back end.
Status drop_native_pod(NftConnection& nft, NftBatch& batch, const PodFirewallSpec& spec) {
  for (const IpAddr& address : spec.addresses) {
    const std::string key = net::expr::bytes_of(address);
    CNIO_LET(const auto found, nft.find_element(pod_table(), pod_set(address.family()), key));
    if (!found || !belongs_to(found->comment, spec.owner)) continue;
    batch.delete_element(pod_set(address.family()), std::string_view(key));
    batch.delete_element(loop_set(address.family()), std::string_view(loop_key(address)));
  }
  return {};
}

Status put_pod_table(NftConnection& nft, NftBatch& batch, const PodFirewallSpec& spec) {
  const std::string comment = owner_comment(spec.owner);
  const bool keeps_sources = spec.backend == PodBackend::kFirewalld;
  const bool has_policy = spec.policy != IngressPolicy::kOpen;
  if (is_native(spec) || keeps_sources || has_policy) put_pod_sets(batch);
  if (is_native(spec)) {
    CNIO_TRY(put_pod_rules(nft, batch));
    CNIO_TRY(put_native_pod(nft, batch, spec));
  } else {
    CNIO_TRY(drop_native_pod(nft, batch, spec));
  }
  for (const IpAddr& address : spec.addresses) {
    if (!keeps_sources) break;
    const NftElement source = {net::expr::bytes_of(address), {}, {}, comment};
    CNIO_TRY(take_element(nft, batch, pod_table(), source_set(address.family()), source));
  }
  if (!spec.port) return {};
  if (has_policy) CNIO_TRY(take_element(nft, batch, pod_table(), kMemberSet, {key_of(*spec.port), {}, {}, comment}));
  return put_native_policy(nft, batch, spec.port->bridge, native_policy(spec));
}

// The pods of one bridge reach each other without the rules of IP, unless br_netfilter is there.
Result<NftBatch> plan_ports(NftConnection& nft, const PodFirewallSpec& spec) {
  NftBatch batch(port_table());
  if (!spec.port) return batch;
  if (spec.policy == IngressPolicy::kIsolated) {
    const std::string comment = owner_comment(spec.owner);
    const std::string key = net::expr::bytes_of_interface(spec.port->name);
    CNIO_TRY(put_port_rules(nft, batch));
    CNIO_TRY(take_element(nft, batch, port_table(), kPortSet, {key, {}, {}, comment}));
    CNIO_TRY(take_element(nft, batch, port_table(), kPortLoopSet, {loop_key(spec.port->name), {}, {}, comment}));
    return batch;
  }
  CNIO_LET(SetView ports, SetView::of_ports(nft));
  if (!ports.exists()) return batch;
  CNIO_LET(const auto members, nft.list_elements(pod_table(), kMemberSet));
  const auto is_of_bridge = [&](const std::string& port) {
    return port == spec.port->name || std::any_of(members.begin(), members.end(), [&](const NftElement& member) {
             return member.key == key_of({spec.port->bridge, port});
           });
  };
  ports.remove(batch, [&](const std::string&, const NftElement& element) {
    return is_of_bridge(element.key.substr(0, element.key.find('\0')));
  });
  if (ports.empty()) batch.delete_table();
  return batch;
}

void edit_for(const PodFirewallSpec& spec, FilterEdit& edit) {
  const std::vector<IpAddr> addresses = spec.addresses_of(edit.family());
  const bool visible = spec.backend == PodBackend::kIptables;
  const bool opens = is_native(spec) && edit.has_forward_chain();
  if (!addresses.empty() && (visible || opens)) edit.put_pod_chain(spec.admin_chain);
  edit.put_pod(spec.owner, visible ? addresses : std::vector<IpAddr>());
  if (!addresses.empty() && opens) edit.put_marked();
  if (!spec.port) return;
  const std::string& bridge = spec.port->bridge;
  const bool had_policy = edit.policy_bridges().contains(bridge);
  if (addresses.empty() && !had_policy) return;
  edit.put_policy(bridge, visible_policy(spec));
  if (visible_policy(spec) == IngressPolicy::kIsolated) edit.put_own_loops(bridge, spec.owner, addresses);
  if (visible_policy(spec) == IngressPolicy::kOpen && had_policy) edit.tidy_up_stages();
}

// The tables that hosts with the old iptables use besides, or instead.
Result<std::vector<FilterEdit>> legacy_edits(const protocol::Environment& environment) {
  std::vector<FilterEdit> edits;
  for (const Family family : kFamilies) {
    CNIO_LET(std::optional<Iptables> program, Iptables::find_legacy(family, environment, "filter"));
    if (!program) continue;
    CNIO_LET(std::unique_ptr<FilterTable> table, read_filter_table(*std::move(program)));
    edits.emplace_back(family, std::move(table));
  }
  return edits;
}

Result<FilterEdit> netlink_edit(NftConnection& nft, Family family) {
  CNIO_LET(std::unique_ptr<FilterTable> table, read_filter_table(nft, family));
  return FilterEdit(family, std::move(table));
}

// Where the rules of each family belong: with the old tables where a host uses those, for they are what drops there.
Result<std::vector<FilterEdit>> edits_in_use(NftConnection& nft, const protocol::Environment& environment) {
  CNIO_LET(std::vector<FilterEdit> edits, legacy_edits(environment));
  for (const Family family : kFamilies) {
    const auto same = [&](const FilterEdit& edit) { return edit.family() == family; };
    if (std::any_of(edits.begin(), edits.end(), same)) continue;
    CNIO_LET(FilterEdit edit, netlink_edit(nft, family));
    edits.push_back(std::move(edit));
  }
  return edits;
}

// ---- removal

// Bridges whose last pod with a policy has gone lose it. What the reference made stays as long as there may be a pod of
// it: its rules do not tell of which bridge.
std::set<std::string> unused_bridges(const SetView& pods, const std::vector<FilterEdit>& edits) {
  std::set<std::string> bridges;
  for (const FilterEdit& edit : edits) {
    if (edit.has_foreign_pods()) return {};
    bridges.merge(edit.policy_bridges());
  }
  for (const std::string& used : pods.member_bridges()) bridges.erase(used);
  return bridges;
}

void remove_native_policies(SetView& pods, NftBatch& batch) {
  const std::set<std::string> used = pods.member_bridges();
  pods.remove(batch, [&](const std::string& set, const NftElement& element) {
    const bool of_bridge = set == kBridgeSet || set == kSameBridgeSet || set == kIsolatedSet;
    return of_bridge && !used.contains(element.key.substr(0, element.key.find('\0')));
  });
}

void remove_from_sets(SetView& view, NftBatch& batch, const Leaving& leaving) {
  view.remove(batch, [&](const std::string&, const NftElement& element) { return leaving.chosen(element.comment); });
}

void remove_from_filter(FilterEdit& edit, const Leaving& leaving) {
  edit.remove([&](const PresentRule& rule) { return leaving.chosen(rule.note); });
  for (const IpAddr& address : leaving.foreign) {
    if (address.family() == edit.family()) edit.remove_foreign(address);
  }
}

// ---- CHECK

Error differs(std::string what) {
  return Error::make(Code::kCheckFailed, "firewall: " + std::move(what),
                     "iptables -S, ip6tables -S and nft list ruleset show what there is");
}

Error lacks(Family family, const std::string& chain, const XtablesRule& rule) {
  std::string text = "iptables chain " + chain + " (" + std::string(family_name(family)) + ") has no rule";
  for (const std::string& word : arguments_of(rule)) text.append(" ").append(word);
  return differs(std::move(text));
}

Status require_rule(const FilterEdit& edit, const std::string& chain, const XtablesRule& rule) {
  return edit.has(chain, rule) ? Status() : lacks(edit.family(), chain, rule);
}

Status check_way(const FilterEdit& edit, const PodFirewallSpec& spec) {
  CNIO_TRY(require_rule(edit, kForwardChain, pod_chain_jump()));
  return require_rule(edit, kPodChain, admin_jump(spec.admin_chain));
}

Status check_visible_pod(const FilterEdit& edit, const PodFirewallSpec& spec) {
  CNIO_TRY(check_way(edit, spec));
  const bool ours = edit.knows(spec.owner);
  for (const IpAddr& address : spec.addresses_of(edit.family())) {
    for (const XtablesRule& rule : ours ? pod_rules(address) : reference_pod_rules(address)) {
      const bool there = ours ? edit.has_noted(kPodChain, rule, spec.owner) : edit.has(kPodChain, rule);
      if (!there) return lacks(edit.family(), kPodChain, rule);
    }
  }
  return {};
}

Status check_visible_policy(const FilterEdit& edit, const PodFirewallSpec& spec) {
  const std::string& bridge = spec.port->bridge;
  CNIO_TRY(require_rule(edit, kForwardChain, stage_jump()));
  for (const XtablesRule& rule : first_stage_rules(bridge, spec.policy)) {
    CNIO_TRY(require_rule(edit, kFirstStage, rule));
  }
  return require_rule(edit, kSecondStage, second_stage_rule(bridge));
}

Status check_element(NftConnection& nft, const net::NftTable& table, const std::string& set, const std::string& key,
                     const std::string& shown, const RuleOwner* owner) {
  CNIO_LET(const auto found, nft.find_element(table, set, key));
  if (!found) return differs("set " + set + " of table " + table.name + " has no " + shown);
  if (owner == nullptr || belongs_to(found->comment, *owner)) return {};
  return differs(shown + " in set " + set + " of table " + table.name + " belongs to " +
                 quote(owner_text(found->comment)));
}

Status check_native(NftConnection& nft, const PodFirewallSpec& spec) {
  CNIO_LET(const std::string fault, fault_of_pod_rules(nft));
  if (!fault.empty()) return differs(fault);
  for (const IpAddr& address : spec.addresses) {
    CNIO_TRY(check_element(nft, pod_table(), pod_set(address.family()), net::expr::bytes_of(address),
                           address.to_string(), &spec.owner));
  }
  if (spec.policy == IngressPolicy::kOpen || !spec.port) return {};
  const std::string& bridge = spec.port->bridge;
  CNIO_TRY(check_element(nft, pod_table(), kBridgeSet, net::expr::bytes_of_interface(bridge), bridge, nullptr));
  if (spec.policy != IngressPolicy::kIsolated) return {};
  return check_element(nft, pod_table(), kIsolatedSet, loop_key(bridge), bridge, nullptr);
}

Status check_ports(NftConnection& nft, const PodFirewallSpec& spec) {
  CNIO_LET(const std::string fault, fault_of_port_rules(nft));
  if (!fault.empty()) return differs(fault + " (family bridge)");
  return check_element(nft, port_table(), kPortSet, net::expr::bytes_of_interface(spec.port->name), spec.port->name,
                       &spec.owner);
}

Status check_filter(const FilterEdit& edit, const PodFirewallSpec& spec) {
  if (spec.addresses_of(edit.family()).empty()) return {};
  if (spec.backend == PodBackend::kIptables) CNIO_TRY(check_visible_pod(edit, spec));
  if (is_native(spec) && edit.has_forward_chain()) {
    CNIO_TRY(check_way(edit, spec));
    CNIO_TRY(require_rule(edit, kPodChain, marked_rule()));
  }
  const bool here = spec.port && visible_policy(spec) != IngressPolicy::kOpen;
  return here ? check_visible_policy(edit, spec) : Status();
}

}  // namespace

std::vector<IpAddr> PodFirewallSpec::addresses_of(Family family) const {
  std::vector<IpAddr> chosen;
  std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(chosen),
               [&](const IpAddr& address) { return address.family() == family; });
  return chosen;
}

Status install_once(NftConnection& nft, const PodFirewallSpec& spec, const protocol::Environment& environment) {
  CNIO_LET(const uint32_t generation, nft.generation());
  NftBatch all(pod_table(), generation);
  CNIO_TRY(put_pod_table(nft, all, spec));
  CNIO_LET(NftBatch ports, plan_ports(nft, spec));
  all.join(std::move(ports));
  CNIO_LET(std::vector<FilterEdit> edits, edits_in_use(nft, environment));
  for (FilterEdit& edit : edits) {
    edit_for(spec, edit);
    edit.join(all);
  }
  CNIO_TRY(nft.commit(all, "let the pod pass the firewall"));
  for (FilterEdit& edit : edits) CNIO_TRY(edit.run());
  return {};
}

Status remove_once(NftConnection& nft, const Leaving& leaving, const protocol::Environment& environment) {
  CNIO_LET(const uint32_t generation, nft.generation());
  CNIO_LET(SetView pods, SetView::of_pods(nft));
  CNIO_LET(SetView ports, SetView::of_ports(nft));
  NftBatch all(pod_table(), generation);
  NftBatch of_ports(port_table());
  remove_from_sets(pods, all, leaving);
  remove_from_sets(ports, of_ports, leaving);
  // Old tables that cannot be read keep nothing else from going.
  auto legacy = legacy_edits(environment);
  std::vector<FilterEdit> edits;
  if (legacy.ok()) edits = std::move(legacy.value());
  for (const Family family : kFamilies) {
    CNIO_LET(FilterEdit edit, netlink_edit(nft, family));
    edits.push_back(std::move(edit));
  }
  for (FilterEdit& edit : edits) remove_from_filter(edit, leaving);
  const std::set<std::string> unused = unused_bridges(pods, edits);
  remove_native_policies(pods, all);
  if (pods.exists() && pods.empty()) all.delete_table();
  if (ports.exists() && ports.empty()) of_ports.delete_table();
  all.join(std::move(of_ports));
  for (FilterEdit& edit : edits) {
    for (const std::string& bridge : unused) edit.put_policy(bridge, IngressPolicy::kOpen);
    if (!unused.empty()) edit.tidy_up_stages();
    edit.join(all);
  }
  CNIO_TRY(nft.commit(all, "remove the pod from the firewall"));
  ErrorList errors;
  if (!legacy.ok()) errors.collect(legacy.error());
  for (FilterEdit& edit : edits) errors.collect(edit.run());
  return errors.status();
}

Status check_once(NftConnection& nft, const PodFirewallSpec& spec, const protocol::Environment& environment) {
  CNIO_LET(const std::vector<FilterEdit> edits, edits_in_use(nft, environment));
  for (const FilterEdit& edit : edits) CNIO_TRY(check_filter(edit, spec));
  if (is_native(spec)) CNIO_TRY(check_native(nft, spec));
  // The reference has nothing of the kind.
  const bool ours = is_native(spec) || std::any_of(edits.begin(), edits.end(),
                                                   [&](const FilterEdit& edit) { return edit.knows(spec.owner); });
  const bool apart = spec.port && spec.policy == IngressPolicy::kIsolated && ours;
  return apart ? check_ports(nft, spec) : Status();
}

}  // namespace cnio::firewall
