// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/port_map_plan.hpp"

#include <algorithm>
#include <arpa/inet.h>  // ahead of linux/netfilter.h, which then does not define the same types
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <set>

#include "firewall/nft_words.hpp"
#include "firewall/port_map_table.hpp"

namespace cnio::firewall {
namespace {

using net::NftExpression;
using net::NftProgram;
namespace expr = net::expr;

using Steps = std::vector<NftExpression>;

void append(Steps& steps, const Steps& more) { steps.insert(steps.end(), more.begin(), more.end()); }

// Which packets go to the port.
Steps to_port(const LedPort& port) {
  Steps steps = expr::of_family(port.family());
  if (port.host) {
    append(steps, {expr::load_destination(port.family()), expr::compare(expr::bytes_of(*port.host))});
  }
  append(steps, {expr::load_meta(NFT_META_L4PROTO), expr::compare(std::string(1, static_cast<char>(port.protocol))),
                 expr::load_destination_port(), expr::compare(expr::bytes_of_port(port.host_port))});
  return steps;
}

NftProgram lead(const LedPort& port, const Steps& condition) {
  NftProgram rule{to_port(port)};
  append(rule.steps, condition);
  const unsigned words = port.family() == Family::kIpv4 ? 1 : 4;
  append(rule.steps,
         {expr::set_immediate(expr::bytes_of(port.pod)), expr::set_immediate(expr::bytes_of_port(port.pod_port), words),
          expr::dnat(port.family(), 0, words)});
  return rule;
}

// What nothing leads to, and the kernel need not look at: it is there for its comment.
NftProgram note(uint16_t port = 0) {
  return {{expr::load_destination_port(), expr::compare(expr::bytes_of_port(port))}};
}

class Planner {
 public:
  Planner(const PortMapSpec& spec, std::vector<std::string>& notes) : spec_(spec), notes_(notes) {
    plan_.hash = owner_hash(spec.owner);
    plan_.comment = owner_comment(spec.owner);
  }

  Result<PortMapPlan> run(const std::optional<Localnet>& localnet) {
    if (localnet) add_localnet(*localnet);
    plan_.record.quiet = !spec_.snat;
    plan_.record.shown = spec_.backend != PortMapBackend::kNftables;
    for (const Cidr& pod : spec_.pod) CNIO_TRY(plan_family(pod));
    for (const std::string& mark : plan_.record.marks()) plan_.ports.emplace_back(note(), mark);
    return std::move(plan_);
  }

 private:
  Status plan_family(const Cidr& pod) {
    const Family family = pod.family();
    const std::vector<LedPort> ports = ports_of(pod.addr);
    if (ports.empty()) return {};
    if (plan_.record.shown) {
      for (const LedPort& port : ports) add_port(port, {});
      return {};
    }
    CNIO_LET(const NftAlternatives conditions, parse_nft_words(family, spec_.conditions(family)));
    const bool conditional = !spec_.conditions(family).empty();
    (family == Family::kIpv4 ? plan_.record.conditional4 : plan_.record.conditional6) = conditional;
    for (const LedPort& port : ports) add_port(port, conditional ? conditions : NftAlternatives());
    if (spec_.snat) add_sources(pod);
    return {};
  }

  // A port of all addresses that has one of its own besides is two.
  std::vector<LedPort> ports_of(const IpAddr& pod) {
    std::set<LedPort> seen;
    std::vector<LedPort> ports;
    for (const PortMapping& mapping : spec_.mappings) {
      if (!mapping.serves(pod.family())) continue;
      const LedPort port = {mapping.protocol, mapping.only_address(), mapping.host_port, pod, mapping.pod_port};
      if (port.host && port.host->is_loopback() && (!port.host->is_v4() || !spec_.snat)) {
        notes_.push_back(port.text() + " is left out: nothing from that address could come back from the pod");
        continue;
      }
      if (seen.insert(port).second) ports.push_back(port);
    }
    return ports;
  }

  void add_port(const LedPort& port, const NftAlternatives& conditions) {
    plan_.record.ports.push_back(port);
    if (plan_.record.keeps(port)) add_element(port_map_names(port.family()).quiet, {port.key()});
    if (!plan_.record.shown) plan_.elements.emplace_back(port.map(), port.element(plan_.comment));
    if (conditions.empty()) {
      // Nothing leads to these: for people, and for DEL.
      plan_.ports.emplace_back(note(port.host_port), port.text());
      return;
    }
    plan_.elements.emplace_back(port.map(true), port.conditional_element(ports_chain(plan_.hash), plan_.comment));
    for (const Steps& condition : conditions) plan_.ports.emplace_back(lead(port, condition), port.text());
  }

  void add_sources(const Cidr& pod) {
    const Cidr everybody{pod.addr, 0};
    const MasqueradedSource source{spec_.masquerade_all ? everybody.network() : pod.network(), pod.addr};
    plan_.record.masqueraded.push_back(source);
    plan_.prefixes.insert(SourcePrefix::of(source.network));
    add_element(SourcePrefix::of(source.network).set(), {source.key()});
    add_element(port_map_names(pod.family()).pods, {expr::bytes_of(pod.addr)});
  }

  // One that others share is nobody's, and goes with the last of them.
  void add_localnet(const Localnet& localnet) {
    net::NftElement element{expr::bytes_of_interface(localnet.interface)};
    if (localnet.own) element.comment = plan_.comment;
    if (localnet.own) plan_.record.localnet = localnet.interface;
    plan_.elements.emplace_back(kLocalnet, std::move(element));
  }

  void add_element(const std::string& map, net::NftElement element) {
    element.comment = plan_.comment;
    plan_.elements.emplace_back(map, std::move(element));
  }

  const PortMapSpec& spec_;
  std::vector<std::string>& notes_;
  PortMapPlan plan_;
};

}  // namespace

Result<PortMapPlan> plan_port_map(const PortMapSpec& spec, const std::optional<Localnet>& localnet,
                                  std::vector<std::string>& notes) {
  return Planner(spec, notes).run(localnet);
}

}  // namespace cnio::firewall
