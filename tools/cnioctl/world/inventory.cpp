// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/inventory.hpp"

#include <algorithm>
#include <iterator>

#include "cnio/attachment/identity.hpp"

namespace cnio::cnioctl {
namespace {

using Words = std::set<std::string>;

std::string bridge_of(const World& world, const net::Link& port) {
  const net::Link* bridge = port.master == net::IfIndex::kNone ? nullptr : world.find_link(port.master);
  return bridge == nullptr ? std::string() : bridge->name;
}

void add_port(const World& world, const net::Link& port, Words& out) {
  const std::string bridge = bridge_of(world, port);
  if (!bridge.empty()) out.insert(port.name + " in " + bridge);
  if (port.up) out.insert(port.name + " up");
  if (port.hairpin == true) out.insert(port.name + " hairpin");
  if (port.isolated == true) out.insert(port.name + " isolated");
}

void add_rules(const firewall::OwnedRules& rules, Words& out) {
  const std::string what = std::string(firewall::to_string(rules.kind)) + " " + rules.table.name + " " + rules.object;
  out.insert(what);
  for (const IpAddr& address : rules.addresses) out.insert(what + " of " + address.to_string());
  for (const firewall::PortMapping& port : rules.ports) {
    const std::string host = port.host_ip ? port.host_ip->to_string() : std::string();
    out.insert(what + " " + std::to_string(port.protocol) + " " + host + " " + std::to_string(port.host_port));
  }
}

// What bandwidth has made carries the alias of a host end.
void add_limits(const World& world, Inventory& out) {
  for (const net::Link& link : world.links) {
    const auto owner = link.kind == "ifb" ? attachment::owner_in_alias(link.alias) : std::nullopt;
    const auto known = owner ? out.attached.find(*owner) : out.attached.end();
    if (known != out.attached.end()) known->second.insert("limited by " + link.name);
  }
}

bool loses(const Words& before, const Words& now) {
  return !std::includes(now.begin(), now.end(), before.begin(), before.end());
}

}  // namespace

Inventory take_inventory(const World& world, const std::vector<net::OwnedAddress>& addresses,
                         const std::vector<std::string>& forwarding) {
  Inventory out;
  out.node.insert(forwarding.begin(), forwarding.end());
  std::set<std::string> bridges;
  for (const Attached& each : world.attached) {
    if (each.life() != Life::kLive) continue;
    Words& words = out.attached[each.who];
    for (const net::Link& port : each.host_ends) {
      add_port(world, port, words);
      bridges.insert(bridge_of(world, port));
    }
    for (const firewall::OwnedRules& rules : each.rules) add_rules(rules, words);
  }
  add_limits(world, out);
  for (const net::OwnedAddress& own : addresses) {
    const net::Link* link = world.find_link(own.owner);
    const bool gateway =
        link != nullptr && (bridges.contains(link->name) || link->alias.starts_with(attachment::kAliasMark));
    if (gateway) out.node.insert(link->name + " has " + own.address.cidr.to_string());
  }
  return out;
}

Losses find_losses(const Inventory& before, const Inventory& now) {
  Losses out;
  if (now.attached.empty()) return out;
  out.of_node = loses(before.node, now.node);
  for (const auto& [who, words] : before.attached) {
    const auto still = now.attached.find(who);
    if (still != now.attached.end() && loses(words, still->second)) out.attached.insert(who);
  }
  return out;
}

Losses both(const Losses& first, const Losses& second) {
  Losses out{first.of_node && second.of_node};
  std::set_intersection(first.attached.begin(), first.attached.end(), second.attached.begin(), second.attached.end(),
                        std::inserter(out.attached, out.attached.end()));
  return out;
}

}  // namespace cnio::cnioctl
