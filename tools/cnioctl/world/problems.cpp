// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/problems.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "cnioctl/print.hpp"
#include "cnioctl/sort_stably.hpp"

namespace cnio::cnioctl {
namespace {

using firewall::OwnedRules;
using firewall::RuleKind;
using Problems = std::vector<Problem>;

// Less than this part of a pool, and it will soon be used up.
constexpr uint64_t kLowPart = 10;
constexpr char kResync[] = "cnioctl resync --dry-run";
constexpr char kGc[] = "cnioctl gc --dry-run";

const OwnedRules* find_rules(const Attached& attached, RuleKind kind) {
  const auto found = std::find_if(attached.rules.begin(), attached.rules.end(),
                                  [&](const OwnedRules& each) { return each.kind == kind; });
  return found == attached.rules.end() ? nullptr : &*found;
}

void check_port(const Attached& attached, const Facts& facts, Problems& out) {
  const std::string& network = attached.who.network;
  if (attached.host_ends.empty() && !attached.pairs.empty()) {
    out.push_back({"port-lost", network, "host end is gone: only a new pod gets another", ""});
  }
  if (attached.setup->bridge.empty()) return;
  const net::Link* bridge = facts.world.find_link(attached.setup->bridge);
  if (bridge == nullptr) {
    return out.push_back({"no-bridge", network, "bridge " + attached.setup->bridge + " is gone", kResync});
  }
  const auto in_bridge = [&](const net::Link& link) { return link.master == bridge->index; };
  if (!attached.host_ends.empty() && std::none_of(attached.host_ends.begin(), attached.host_ends.end(), in_bridge)) {
    out.push_back({"port-lost", network, "host end is not in bridge " + bridge->name, kResync});
  }
}

// Another's chain may have taken an address over: then it has rules all the same.
bool leads_somewhere(const IpAddr& address, const World& world) {
  const auto leads = [&](const OwnedRules& each) {
    return each.kind == RuleKind::kMasquerade &&
           std::find(each.addresses.begin(), each.addresses.end(), address) != each.addresses.end();
  };
  return std::any_of(world.attached.begin(), world.attached.end(),
                     [&](const Attached& each) { return std::any_of(each.rules.begin(), each.rules.end(), leads); });
}

void check_masquerade(const Attached& attached, const Facts& facts, Problems& out) {
  const auto addresses = attached.all_addresses();
  if (!attached.setup->has_rules() || addresses.empty()) return;
  const std::string& network = attached.who.network;
  const OwnedRules* rules = find_rules(attached, RuleKind::kMasquerade);
  if (rules == nullptr) return out.push_back({"no-rule", network, "no masquerade rule", kResync});
  for (const IpAddr& address : addresses) {
    const auto& leading = rules->addresses;
    if (std::find(leading.begin(), leading.end(), address) != leading.end()) continue;
    if (leads_somewhere(address, facts.world)) continue;
    return out.push_back({"wrong-rule", network, "no element leads to the masquerade rules", kResync});
  }
}

void check_node(const Facts& facts, Problems& out) {
  std::set<Family> families;
  for (const Attached& each : facts.world.attached) {
    if (each.life() != Life::kLive || !each.setup || !each.setup->gateway) continue;
    for (const IpAddr& address : each.all_addresses()) families.insert(address.family());
  }
  for (const Family family : families) {
    const auto on = family == Family::kIpv4 ? facts.node.forwards_ipv4 : facts.node.forwards_ipv6;
    if (on != false) continue;
    out.push_back({"no-forwarding", "node",
                   std::string(family_name(family)) + " forwarding is off: no pod gets beyond this node", kResync});
  }
  for (const firewall::ForwardDrop& drop : facts.node.drops) {
    out.push_back({"forward-drop", "node", drop.message(), drop.hint()});
  }
  for (const Misroute& each : facts.node.misroutes) {
    const std::string way = each.link.empty() ? "there is no route" : "the route leads to " + each.link;
    out.push_back({"no-route", each.network, "to " + each.address.to_string() + " " + way + ", not to " + each.expected,
                   "ip route get " + each.address.to_string()});
  }
}

// Who routes for both cannot tell them apart.
void check_addresses(const Facts& facts, Problems& out) {
  std::map<IpAddr, const Attached*> seen;
  for (const Attached& each : facts.world.attached) {
    if (each.life() != Life::kLive || !each.setup || !each.setup->gateway) continue;
    for (const IpAddr& address : each.all_addresses()) {
      const auto [other, fresh] = seen.emplace(address, &each);
      if (fresh) continue;
      out.push_back({"duplicate-address", each.who.network,
                     address.to_string() + " is that of " + each.who.text() + " and of " + other->second->who.text(),
                     "cnioctl who " + address.to_string()});
    }
  }
}

void check_gateways(const Facts& facts, Problems& out) {
  std::map<std::string, std::string> bridges;  // with a network
  for (const Attached& each : facts.world.attached) {
    const net::Link* gateway = each.setup && !each.setup->bridge.empty() ? facts.gateway_of(each) : nullptr;
    if (gateway != nullptr && each.setup->gateway) bridges.emplace(gateway->name, each.who.network);
  }
  const auto name_of = [&](net::IfIndex index) {
    const net::Link* link = facts.world.find_link(index);
    return link == nullptr ? std::string() : link->name;
  };
  std::set<std::pair<std::string, std::string>> said;
  for (const net::OwnedAddress& own : facts.node.addresses) {
    const auto bridge = bridges.find(name_of(own.owner));
    if (bridge == bridges.end() || own.address.cidr.addr.is_link_local_unicast()) continue;
    for (const net::OwnedAddress& other : facts.node.addresses) {
      if (other.owner == own.owner || !other.address.cidr.overlaps(own.address.cidr)) continue;
      if (other.address.cidr.prefix == other.address.cidr.addr.bits()) continue;  // an overlay's, or a route to a pod
      const std::string name = name_of(other.owner);
      if (!said.insert(std::minmax(bridge->first, name)).second) continue;
      out.push_back({"duplicate-gateway", bridge->second,
                     name + " has " + other.address.cidr.to_string() + ", and " + bridge->first + " has " +
                         own.address.cidr.to_string() + ": pods on one of them get no answers",
                     "ip address show to " + own.address.cidr.network().to_string()});
    }
  }
}

void check_pools(const Facts& facts, Problems& out) {
  for (const NetworkPools& network : facts.pools) {
    for (const Pool& pool : network.pools) {
      if (pool.size == 0 || pool.free() >= pool.size / kLowPart + (pool.size < kLowPart ? 1 : 0)) continue;
      out.push_back({"pool-low", network.network,
                     std::to_string(pool.free()) + " of " + std::to_string(pool.size) + " addresses of " + pool.range +
                         " are free",
                     pool.rebooted + pool.gone != 0 ? kGc : "a larger subnet"});
    }
  }
}

// "31 pods"; few are named: "2 pods (default/web-7f9c, default/x)".
std::string pods_text(const std::vector<std::string>& pods) {
  constexpr size_t kFew = 3;
  std::string text = counted(pods.size(), "pod");
  if (pods.size() > kFew) return text;
  for (size_t i = 0; i < pods.size(); ++i) text += (i == 0 ? " (" : ", ") + pods[i];
  return text + ")";
}

// "31 pods: no masquerade rule".
Problems gather(const Facts& facts) {
  std::map<std::tuple<std::string, std::string, std::string>, Problem> alike;
  for (const Attached& each : facts.world.attached) {
    for (const Problem& problem : problems_of(each, facts)) {
      Problem& known = alike[{problem.kind, problem.where, problem.what}];
      std::vector<std::string> pods = std::move(known.pods);
      pods.push_back(each.name());
      known = problem;
      known.pods = std::move(pods);
    }
  }
  Problems out;
  for (auto& [what, problem] : alike) {
    problem.what.insert(0, pods_text(problem.pods) + ": ");
    out.push_back(std::move(problem));
  }
  return out;
}

}  // namespace

Problems problems_of(const Attached& attached, const Facts& facts) {
  Problems out;
  if (attached.life() != Life::kLive || !attached.setup) return out;
  check_port(attached, facts, out);
  if (!facts.world.knows_rules) return out;
  check_masquerade(attached, facts, out);
  if (attached.setup->spoof_check && find_rules(attached, RuleKind::kSpoofCheck) == nullptr) {
    out.push_back({"no-rule", attached.who.network, "no spoof check", kResync});
  }
  return out;
}

bool is_wrong(const Problems& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const Problem& each) { return each.kind != "unreadable"; });
}

Problems find_problems(const Facts& facts) {
  Problems out = gather(facts);
  check_node(facts, out);
  check_addresses(facts, out);
  check_gateways(facts, out);
  check_pools(facts, out);
  for (const Finding& each : facts.world.blind.findings()) out.push_back({"unreadable", each.where, each.what, ""});
  const auto rank = [](const Problem& each) {
    return std::find(kProblemKinds.begin(), kProblemKinds.end(), each.kind) - kProblemKinds.begin();
  };
  sort_stably(out, [&](const Problem& a, const Problem& b) { return rank(a) < rank(b); });
  return out;
}

}  // namespace cnio::cnioctl
