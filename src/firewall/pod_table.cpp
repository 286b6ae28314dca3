// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/pod_table.hpp"

#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "cnio/net/nftables/expression.hpp"

#include "firewall/pod_rules.hpp"

namespace cnio::firewall {

const net::NftTable& pod_table() {
  static const net::NftTable kTable = {net::NftFamily::kInet, "cnio_firewall"};
  return kTable;
}

const net::NftTable& port_table() {
  static const net::NftTable kTable = {net::NftFamily::kBridge, "cnio_firewall"};
  return kTable;
}

namespace {

namespace expr = net::expr;
using net::NftBatch;
using net::NftConnection;
using net::NftElement;
using net::NftExpression;
using net::NftProgram;
using net::NftSetSpec;

// Ahead of iptables' rules, which look for the mark.
const net::NftBaseChain kForward = {"forward", net::NftBaseChain::Hook::kFilterForward, -10};
const net::NftBaseChain kPortForward = {"forward", net::NftBaseChain::Hook::kBridgeForward, -200 /* filter */};
const std::string kPass = "pass";

// Registers are four bytes; the first parts of a key are interfaces.
constexpr unsigned kSecondInterface = 4;
constexpr unsigned kAddresses = 8;

constexpr std::string_view kTableComment = "pods and the host's firewall, kept by the cnio CNI plugins";

struct Rule {
  std::string chain;
  NftProgram program;
};

using Steps = std::vector<NftExpression>;

Steps operator+(Steps steps, const Steps& more) {
  steps.insert(steps.end(), more.begin(), more.end());
  return steps;
}

Steps both_interfaces() {
  return {expr::load_meta(NFT_META_IIFNAME), expr::load_meta(NFT_META_OIFNAME, kSecondInterface)};
}

Steps has_bit(uint32_t key, uint32_t bits) {
  return {expr::load_tracking(key), expr::mask(expr::bytes_of_u32(bits)),
          expr::compare(expr::bytes_of_u32(0), 0, false)};
}

// Frames of IPv4 or IPv6 between two ports of a bridge whose pods are kept apart, but not a pod's to itself.
Steps isolated(Family family) {
  const unsigned second = kAddresses + (family == Family::kIpv4 ? 1 : 4);
  return expr::of_family(family) + both_interfaces() +
         Steps{expr::look_up(kIsolatedSet), expr::load_source(family, kAddresses),
               expr::load_destination(family, second), expr::look_up(loop_set(family), kAddresses, true),
               expr::verdict(NF_DROP)};
}

// From one bridge with a policy to another.
Steps other_bridge() {
  return both_interfaces() + Steps{expr::look_up(kBridgeSet), expr::look_up(kBridgeSet, kSecondInterface),
                                   expr::look_up(kSameBridgeSet, 0, true), expr::verdict(NF_DROP)};
}

Steps to_pod(Family family) {
  return {expr::load_destination(family), expr::look_up(pod_set(family)), expr::verdict(NFT_GOTO, kPass)};
}

std::vector<Rule> passing(Family family) {
  constexpr uint32_t kAnswers = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED);
  const Steps sent = {expr::load_source(family), expr::look_up(pod_set(family)), expr::verdict(NFT_GOTO, kPass)};
  return {{kForward.name, {expr::of_family(family) + sent}},
          {kForward.name, {expr::of_family(family) + has_bit(NFT_CT_STATE, kAnswers) + to_pod(family)}},
          {kForward.name, {expr::of_family(family) + has_bit(NFT_CT_STATUS, IPS_DST_NAT) + to_pod(family)}}};
}

Steps mark() {
  return {expr::load_meta(NFT_META_MARK), expr::mask(expr::bytes_of_u32(~kPassMark), expr::bytes_of_u32(kPassMark)),
          expr::set_meta(NFT_META_MARK)};
}

std::vector<Rule> wanted_pod_rules() {
  std::vector<Rule> rules;
  for (const Family family : kFamilies) rules.push_back({kForward.name, {isolated(family)}});
  rules.push_back({kForward.name, {other_bridge()}});
  for (const Family family : kFamilies) {
    for (Rule& rule : passing(family)) rules.push_back(std::move(rule));
  }
  rules.push_back({kPass, {mark()}});
  return rules;
}

std::vector<Rule> wanted_port_rules() {
  std::vector<Rule> rules;
  for (const unsigned at : {0U, kSecondInterface}) {
    rules.push_back({kPortForward.name,
                     {both_interfaces() + Steps{expr::look_up(kPortSet, at), expr::look_up(kPortLoopSet, 0, true),
                                                expr::verdict(NF_DROP)}}});
  }
  return rules;
}

uint32_t type_of(Family family) {
  return family == Family::kIpv4 ? net::kNftTypeIpv4Address : net::kNftTypeIpv6Address;
}

std::vector<NftSetSpec> pod_sets() {
  constexpr uint32_t kName = net::kNftTypeInterface;
  std::vector<NftSetSpec> sets = {
      {kMemberSet, {kName, kName}, {}, false, "bridge and port of the pods of bridges with a policy"},
      {kBridgeSet, {kName}, {}, false, "bridges with a policy"},
      {kSameBridgeSet, {kName, kName}, {}, false, "the same, each with itself"},
      {kIsolatedSet, {kName, kName}, {}, false, "those whose pods are kept apart"}};
  for (const Family family : kFamilies) {
    const uint32_t type = type_of(family);
    sets.push_back({pod_set(family), {type}, {}, false, "pods"});
    sets.push_back({loop_set(family), {type, type}, {}, false, "each pod with itself"});
    sets.push_back({source_set(family), {type}, {}, false, "pods that are sources of firewalld"});
  }
  return sets;
}

std::vector<NftSetSpec> port_sets() {
  constexpr uint32_t kName = net::kNftTypeInterface;
  return {{kPortSet, {kName}, {}, false, "ports that are kept apart"},
          {kPortLoopSet, {kName, kName}, {}, false, "each with itself"}};
}

// Empty, or what is wrong.
Result<std::string> fault_of(NftConnection& nft, const net::NftTable& table, const net::NftBaseChain& entry,
                             const std::vector<Rule>& wanted) {
  CNIO_LET(const auto info, nft.find_table(table));
  if (!info) return std::string("there is no table ") + table.name;
  if (info->dormant) return "table " + table.name + " is dormant, so the kernel ignores it";
  CNIO_LET(const auto chain, nft.find_chain(table, entry.name));
  if (!chain) return "there is no chain " + entry.name;
  if (std::string mismatch = entry.mismatch(*chain); !mismatch.empty()) return "chain " + entry.name + " " + mismatch;
  CNIO_LET(const auto rules, nft.list_programs(table));
  const bool same = std::equal(rules.begin(), rules.end(), wanted.begin(), wanted.end(),
                               [](const net::NftProgramRule& told, const Rule& rule) {
                                 return told.chain == rule.chain && rule.program.same_effect(told.program);
                               });
  return same ? std::string() : "table " + table.name + " has other rules than it should have";
}

Status put_rules(NftConnection& nft, NftBatch& batch, const net::NftTable& table, const net::NftBaseChain& entry,
                 const std::vector<Rule>& wanted) {
  CNIO_LET(const std::string fault, fault_of(nft, table, entry, wanted));
  if (fault.empty()) return {};
  std::set<std::string> chains;
  for (const Rule& rule : wanted) chains.insert(rule.chain);
  batch.ensure_base_chain(entry);
  for (const std::string& chain : chains) {
    if (chain != entry.name) batch.ensure_chain(chain, {});
    batch.flush_chain(chain);
  }
  for (const Rule& rule : wanted) batch.append_program(rule.chain, rule.program);
  return {};
}

}  // namespace

const std::string& pod_set(Family family) {
  static const std::string kNames[] = {"pods4", "pods6"};
  return kNames[family == Family::kIpv4 ? 0 : 1];
}

const std::string& loop_set(Family family) {
  static const std::string kNames[] = {"loops4", "loops6"};
  return kNames[family == Family::kIpv4 ? 0 : 1];
}

const std::string& source_set(Family family) {
  static const std::string kNames[] = {"firewalld4", "firewalld6"};
  return kNames[family == Family::kIpv4 ? 0 : 1];
}

std::string key_of(const PodPort& port) {
  return expr::bytes_of_interface(port.bridge) + expr::bytes_of_interface(port.name);
}

std::string loop_key(const std::string& interface) { return key_of({interface, interface}); }

std::string loop_key(const IpAddr& address) { return expr::bytes_of(address) + expr::bytes_of(address); }

namespace {

Result<std::map<std::string, std::vector<NftElement>>> read_sets(NftConnection& nft, const net::NftTable& table,
                                                                 const std::vector<NftSetSpec>& sets) {
  std::map<std::string, std::vector<NftElement>> found;
  for (const NftSetSpec& set : sets) {
    CNIO_LET(found[set.name], nft.list_elements(table, set.name));
  }
  return found;
}

}  // namespace

Result<SetView> SetView::of_pods(NftConnection& nft) {
  SetView view;
  CNIO_LET(const auto table, nft.find_table(pod_table()));
  view.exists_ = table.has_value();
  if (!view.exists_) return view;
  CNIO_LET(view.sets_, read_sets(nft, pod_table(), pod_sets()));
  return view;
}

Result<SetView> SetView::of_ports(NftConnection& nft) {
  SetView view;
  CNIO_LET(const auto table, nft.find_table(port_table()));
  view.exists_ = table.has_value();
  if (!view.exists_) return view;
  CNIO_LET(view.sets_, read_sets(nft, port_table(), port_sets()));
  return view;
}

const std::vector<NftElement>& SetView::in(const std::string& set) const {
  static const std::vector<NftElement> kNone;
  const auto found = sets_.find(set);
  return found == sets_.end() ? kNone : found->second;
}

bool SetView::empty() const {
  return std::all_of(sets_.begin(), sets_.end(), [](const auto& set) { return set.second.empty(); });
}

std::set<std::string> SetView::member_bridges() const {
  std::set<std::string> bridges;
  for (const NftElement& member : in(kMemberSet)) bridges.insert(member.key.substr(0, member.key.find('\0')));
  return bridges;
}

void SetView::remove(NftBatch& batch, const std::function<bool(const std::string&, const NftElement&)>& chosen) {
  for (auto& [set, elements] : sets_) {
    std::erase_if(elements, [&, &name = set](const NftElement& element) {
      const bool goes = chosen(name, element);
      if (goes) batch.delete_element(name, std::string_view(element.key));
      return goes;
    });
  }
}

void put_pod_sets(NftBatch& batch) {
  batch.ensure_table(kTableComment);
  for (const NftSetSpec& set : pod_sets()) batch.ensure_set(set);
}

Status put_pod_rules(NftConnection& nft, NftBatch& batch) {
  return put_rules(nft, batch, pod_table(), kForward, wanted_pod_rules());
}

Status put_port_rules(NftConnection& nft, NftBatch& batch) {
  batch.ensure_table(kTableComment);
  for (const NftSetSpec& set : port_sets()) batch.ensure_set(set);
  return put_rules(nft, batch, port_table(), kPortForward, wanted_port_rules());
}

Result<std::string> fault_of_pod_rules(NftConnection& nft) {
  return fault_of(nft, pod_table(), kForward, wanted_pod_rules());
}

Result<std::string> fault_of_port_rules(NftConnection& nft) {
  return fault_of(nft, port_table(), kPortForward, wanted_port_rules());
}

Status take_element(NftConnection& nft, NftBatch& batch, const net::NftTable& table, const std::string& set,
                    const NftElement& element) {
  CNIO_LET(const auto found, nft.find_element(table, set, element.key));
  if (found && found->comment == element.comment) return {};
  if (found) batch.delete_element(set, std::string_view(element.key));
  batch.add_element(set, element);
  return {};
}

}  // namespace cnio::firewall
