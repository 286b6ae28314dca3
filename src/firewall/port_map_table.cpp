// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_table.hpp"

#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <vector>

#include "firewall/nft_words.hpp"
#include "firewall/port_map_sources.hpp"

namespace cnio::firewall {

const net::NftTable kPortMapTable = {net::NftFamily::kInet, "cnio_portmap"};
const std::string kLocalnet = "localnet";

namespace {

using net::NftBaseChain;
using net::NftProgram;
namespace expr = net::expr;

constexpr std::string_view kPorts = "ports-";
constexpr char kPostrouting[] = "postrouting";

// After whoever translates at dstnat, such as kube-proxy, in whatever order the tables were made: what is theirs stays
// theirs (CVE-2019-9946). Before masquerading at srcnat.
constexpr int32_t kLeading = -95;
// Before those, and before iptables' chains.
constexpr int32_t kKeeping = -105;
constexpr int32_t kMasquerading = 95;
constexpr int32_t kGuarding = -300;  // raw: before connections are tracked

constexpr unsigned kData =
    0;  // the register of what a map says, as nft takes it: that of the key, which is not needed any more

// A chain that all share; one without a hook is led to.
struct Shared {
  NftBaseChain chain;
  bool hooked = true;
  std::vector<NftProgram> rules;
  std::vector<std::string> comments;  // of as many of the rules
};

std::string lead_chain(Family family) { return family == Family::kIpv4 ? "lead4" : "lead6"; }

net::NftExpression is_family(Family family) {
  return expr::compare(std::string(1, static_cast<char>(family == Family::kIpv4 ? NFPROTO_IPV4 : NFPROTO_IPV6)));
}

// Also where only such packets come to: so nft can tell what is looked at.
NftProgram family_rule(Family family, const std::vector<net::NftExpression>& steps) {
  NftProgram rule;
  rule.steps = {expr::load_meta(NFT_META_NFPROTO), is_family(family)};
  rule.steps.insert(rule.steps.end(), steps.begin(), steps.end());
  return rule;
}

// What goes to one of the host's own addresses: what a pod sends elsewhere is not ours (CVE-2025-67499).
NftProgram to_host(Family family) {
  return family_rule(family, {expr::load_destination_type(), expr::compare(expr::bytes_of_u32(RTN_LOCAL)),
                              expr::verdict(NFT_JUMP, lead_chain(family))});
}

std::vector<net::NftExpression> of_loopback4(const net::NftExpression& load) {
  return {load, expr::mask(prefix_mask(Family::kIpv4, 8)), expr::compare(expr::bytes_of(*IpAddr::parse("127.0.0.0")))};
}

std::vector<net::NftExpression> to_loopback4() { return of_loopback4(expr::load_destination(Family::kIpv4)); }

std::vector<net::NftExpression> from_loopback4() { return of_loopback4(expr::load_source(Family::kIpv4)); }

std::vector<net::NftExpression> to_loopback6() {
  return {expr::load_destination(Family::kIpv6), expr::compare(expr::bytes_of(*IpAddr::parse("::1")))};
}

// Nothing that comes from ::1 can go to a pod.
NftProgram loopback_stays() {
  return family_rule(Family::kIpv6, {expr::load_destination(Family::kIpv6),
                                     expr::compare(expr::bytes_of(*IpAddr::parse("::1"))), expr::verdict(NFT_RETURN)});
}

std::vector<net::NftExpression> load_port(unsigned at) {
  return {expr::load_meta(NFT_META_L4PROTO, at), expr::load_destination_port(at + 1)};
}

std::vector<net::NftExpression> load_host_port(Family family) {
  const unsigned words = family == Family::kIpv4 ? 1 : 4;
  std::vector<net::NftExpression> steps = load_port(words);
  steps.insert(steps.begin(), expr::load_destination(family));
  return steps;
}

NftProgram judge(Family family, std::vector<net::NftExpression> key, const std::string& map) {
  key.push_back(expr::map_to_verdict(map));
  return family_rule(family, key);
}

NftProgram lead(Family family, std::vector<net::NftExpression> key, const std::string& map) {
  key.push_back(expr::map_to(map, 0, kData));
  key.push_back(expr::dnat(family, kData, kData + (family == Family::kIpv4 ? 1 : 4)));
  return family_rule(family, key);
}

Shared lead_of(Family family) {
  const PortMapNames& names = port_map_names(family);
  Shared shared{{lead_chain(family)}, false, {}, {}};
  shared.rules.push_back(judge(family, load_host_port(family), names.hosts_if));
  shared.rules.push_back(lead(family, load_host_port(family), names.hosts));
  shared.rules.push_back(judge(family, load_port(0), names.ports_if));
  shared.rules.push_back(lead(family, load_port(0), names.ports));
  return shared;
}

// Translated to where it goes anyway, it is done: no chain behind this one is asked.
NftProgram loopback_keeps(Family family) {
  std::vector<net::NftExpression> steps = family == Family::kIpv4 ? to_loopback4() : to_loopback6();
  for (const net::NftExpression& step : load_port(0)) steps.push_back(step);
  steps.push_back(expr::look_up(port_map_names(family).quiet));
  steps.push_back(expr::load_destination(family, kData));
  steps.push_back(expr::dnat(family, kData, std::nullopt));
  return family_rule(family, steps);
}

// What the host has sent from its loopback address.
NftProgram masquerade_loopback() {
  std::vector<net::NftExpression> steps = of_led_connections();
  for (const net::NftExpression& step : from_loopback4()) steps.push_back(step);
  steps.push_back(expr::load_destination(Family::kIpv4));
  steps.push_back(expr::look_up(port_map_names(Family::kIpv4).pods));
  steps.push_back(expr::masquerade());
  return family_rule(Family::kIpv4, steps);
}

Shared masquerading(const std::set<SourcePrefix>& prefixes) {
  Shared shared{{kPostrouting, NftBaseChain::Hook::kNatPostrouting, kMasquerading}, true, {}, {}};
  if (prefixes.empty()) return shared;
  shared.rules.push_back(masquerade_loopback());
  shared.comments.emplace_back("127.0.0.0/8");
  for (const SourcePrefix& prefix : prefixes) {
    shared.rules.push_back(prefix.rule());
    shared.comments.push_back(prefix.text());
  }
  return shared;
}

NftProgram guard_loopback() {
  std::vector<net::NftExpression> steps = to_loopback4();
  steps.insert(steps.begin(), expr::compare(expr::bytes_of_interface("lo"), 0, false));
  steps.insert(steps.begin(), expr::load_meta(NFT_META_IIFNAME));
  steps.push_back(expr::verdict(NF_DROP));
  return family_rule(Family::kIpv4, steps);
}

// Those that are led to come first.
std::vector<Shared> shared_chains(const std::set<SourcePrefix>& prefixes = {}) {
  using Hook = NftBaseChain::Hook;
  std::vector<Shared> chains = {lead_of(Family::kIpv4), lead_of(Family::kIpv6)};
  const auto add = [&](const char* name, Hook hook, int32_t priority, std::vector<NftProgram> rules) {
    chains.push_back({{name, hook, priority}, true, std::move(rules), {}});
  };
  add("loopback", Hook::kNatOutput, kKeeping, {loopback_keeps(Family::kIpv4), loopback_keeps(Family::kIpv6)});
  add("prerouting", Hook::kNatPrerouting, kLeading, {to_host(Family::kIpv4), to_host(Family::kIpv6)});
  add("output", Hook::kNatOutput, kLeading, {loopback_stays(), to_host(Family::kIpv4), to_host(Family::kIpv6)});
  chains.push_back(masquerading(prefixes));
  add("guard", Hook::kFilterPrerouting, kGuarding, {guard_loopback()});
  return chains;
}

std::vector<net::NftSetSpec> maps_of(Family family) {
  const uint32_t address = family == Family::kIpv4 ? net::kNftTypeIpv4Address : net::kNftTypeIpv6Address;
  const std::vector<uint32_t> port = {net::kNftTypeProtocol, net::kNftTypePort};
  const std::vector<uint32_t> host_port = {address, net::kNftTypeProtocol, net::kNftTypePort};
  const std::vector<uint32_t> pod = {address, net::kNftTypePort};
  const PortMapNames& names = port_map_names(family);
  return {{names.hosts, host_port, pod, false, "ports of one address of the host : pod"},
          {names.ports, port, pod, false, "ports of all addresses of the host : pod"},
          {names.hosts_if, host_port, {}, true, "likewise, with conditions"},
          {names.ports_if, port, {}, true, "likewise, with conditions"},
          {names.pods, {address}, {}, false, "pods that are masqueraded to; also from 127.0.0.0/8"},
          {names.quiet, port, {}, false, "ports that the loopback address keeps"}};
}

net::NftSetSpec set_of(const SourcePrefix& prefix) {
  const uint32_t address = prefix.family == Family::kIpv4 ? net::kNftTypeIpv4Address : net::kNftTypeIpv6Address;
  return {prefix.set(), {address, address}, {}, false, "pod . network of sources that are masqueraded"};
}

std::set<SourcePrefix> prefixes_in(const std::vector<net::NftRule>& rules) {
  std::set<SourcePrefix> prefixes;
  for (const net::NftRule& rule : rules) {
    if (const auto prefix = SourcePrefix::parse(rule.comment)) prefixes.insert(*prefix);
  }
  return prefixes;
}

std::vector<net::NftSetSpec> shared_sets() {
  std::vector<net::NftSetSpec> sets = maps_of(Family::kIpv4);
  for (net::NftSetSpec& set : maps_of(Family::kIpv6)) sets.push_back(std::move(set));
  sets.push_back({kLocalnet, {net::kNftTypeInterface}, {}, false, "interfaces whose route_localnet was 0"});
  return sets;
}

std::string padded(std::string bytes) { return bytes.append((4 - bytes.size() % 4) % 4, '\0'); }

Result<std::string> fault_of_chain(net::NftConnection& nft, const net::NftView& view, const Shared& shared) {
  const std::string name = "chain " + shared.chain.name;
  const net::NftChain* found = view.find_chain(shared.chain.name);
  if (found == nullptr) return "there is no " + name;
  if (shared.hooked) {
    if (const std::string mismatch = shared.chain.mismatch(*found); !mismatch.empty()) return name + " " + mismatch;
    if (!found->hook->accepts) return name + " drops by policy";
  }
  CNIO_LET(const auto rules, nft.list_programs(kPortMapTable, shared.chain.name));
  const bool same = std::equal(
      shared.rules.begin(), shared.rules.end(), rules.begin(), rules.end(),
      [](const NftProgram& ours, const net::NftProgramRule& there) { return ours.same_effect(there.program); });
  return same ? std::string() : name + " has other rules than it was given";
}

Result<std::string> fault_of(net::NftConnection& nft, const net::NftView& view, const std::vector<Shared>& chains) {
  if (!view.table) return "there is no table inet " + kPortMapTable.name;
  if (view.table->dormant) return "table inet " + kPortMapTable.name + " is dormant, so the kernel ignores it";
  for (const Shared& shared : chains) {
    CNIO_LET(std::string fault, fault_of_chain(nft, view, shared));
    if (!fault.empty()) return fault;
  }
  return std::string();
}

}  // namespace

const PortMapNames& port_map_names(Family family) {
  static const PortMapNames kIpv4 = {"hosts4", "ports4", "hosts4_if", "ports4_if", "pods4", "quiet4"};
  static const PortMapNames kIpv6 = {"hosts6", "ports6", "hosts6_if", "ports6_if", "pods6", "quiet6"};
  return family == Family::kIpv4 ? kIpv4 : kIpv6;
}

std::string ports_chain(std::string_view owner_hash) { return std::string(kPorts).append(owner_hash); }

bool is_ports_chain(std::string_view chain) { return chain.starts_with(kPorts); }

std::string_view hash_in_chain(std::string_view chain) { return chain.substr(chain.find('-') + 1); }

std::string port_key(uint8_t protocol, uint16_t port) {
  return padded(std::string(1, static_cast<char>(protocol))).append(padded(expr::bytes_of_port(port)));
}

std::string host_port_key(const IpAddr& host, uint8_t protocol, uint16_t port) {
  return expr::bytes_of(host).append(port_key(protocol, port));
}

std::string pod_port_data(const IpAddr& pod, uint16_t port) {
  return expr::bytes_of(pod).append(padded(expr::bytes_of_port(port)));
}

void put_port_map_table(net::NftBatch& batch, const std::optional<std::set<SourcePrefix>>& prefixes) {
  batch.ensure_table("ports of pods, kept by the cnio CNI plugins: changes by hand are lost");
  for (const net::NftSetSpec& set : shared_sets()) batch.ensure_set(set);
  if (!prefixes) return;
  for (const SourcePrefix& prefix : *prefixes) batch.ensure_set(set_of(prefix));
  const std::vector<Shared> chains = shared_chains(*prefixes);
  for (const Shared& shared : chains) {
    if (shared.hooked) {
      batch.ensure_base_chain(shared.chain);
    } else {
      batch.ensure_chain(shared.chain.name, {});
    }
    batch.flush_chain(shared.chain.name);
    for (size_t i = 0; i < shared.rules.size(); ++i) {
      batch.append_program(shared.chain.name, shared.rules[i], i < shared.comments.size() ? shared.comments[i] : "");
    }
  }
}

Result<PortMapTableState> look_at_port_map_table(net::NftConnection& nft, std::string_view owner_hash,
                                                 const std::set<SourcePrefix>& needed) {
  net::NftQuestion question;
  const std::vector<Shared> chains = shared_chains();
  for (const Shared& shared : chains) question.chains.push_back(shared.chain.name);
  question.rules_of = kPostrouting;
  question.chains.push_back(ports_chain(owner_hash));
  CNIO_LET(const net::NftView view, nft.view(kPortMapTable, question));
  PortMapTableState state;
  state.has_attachment = view.find_chain(question.chains.back()) != nullptr;
  state.prefixes = prefixes_in(view.rules);
  state.prefixes.insert(needed.begin(), needed.end());
  CNIO_LET(state.fault, fault_of(nft, view, shared_chains(state.prefixes)));
  return state;
}

Result<std::set<SourcePrefix>> list_prefixes(net::NftConnection& nft) {
  CNIO_LET(const auto rules, nft.list_rules(kPortMapTable, kPostrouting));
  return prefixes_in(rules);
}

uint32_t size_of_port_map_table() { return static_cast<uint32_t>(shared_chains().size() + shared_sets().size()); }

}  // namespace cnio::firewall
