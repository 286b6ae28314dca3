// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/facts.hpp"

#include <algorithm>
#include <ctime>
#include <future>
#include <linux/netlink.h>
#include <map>
#include <set>
#include <sys/utsname.h>

#include "cnio/ipam/reservation_store.hpp"
#include "cnio/net/forwarding.hpp"
#include "cnio/net/route.hpp"

#include "cnioctl/world/cache.hpp"

namespace cnio::cnioctl {
namespace {

using net::Netlink;

// Many attachments have the very same configuration.
class Setups {
 public:
  std::optional<Setup> of(const std::string& config) {
    const auto known = known_.find(config);
    if (known != known_.end()) return known->second;
    auto parsed = parse_setup(config);
    std::optional<Setup> setup;
    if (parsed.ok()) setup = std::move(parsed).value();
    return known_.emplace(config, std::move(setup)).first->second;
  }

 private:
  std::map<std::string, std::optional<Setup>> known_;
};

const NetworkView* find_in(const std::vector<NetworkView>& networks, const std::string& name) {
  const auto found =
      std::find_if(networks.begin(), networks.end(), [&](const auto& each) { return each.name == name; });
  return found == networks.end() ? nullptr : &*found;
}

// As it was made, if that is known; else as one would be made now.
void add_setups(Facts& facts) {
  Setups setups;
  for (Attached& attached : facts.world.attached) {
    const std::string config = attached.pairs.empty() ? std::string() : attached.pairs.back().config;
    if (!config.empty()) attached.setup = setups.of(config);
    const NetworkView* network = find_in(facts.networks, attached.who.network);
    if (!attached.setup && network != nullptr) attached.setup = network->setup;
  }
}

void add_unnamed_networks(Facts& facts) {
  const auto add = [&](const std::string& name, const std::optional<Setup>& setup) {
    if (find_in(facts.networks, name) == nullptr) facts.networks.push_back({name, {}, false, setup.value_or(Setup())});
  };
  for (const Attached& attached : facts.world.attached) add(attached.who.network, attached.setup);
  for (const std::string& name : facts.world.stores) add(name, std::nullopt);
}

// What does not answer says nothing of anybody.
void hear(const WitnessOptions& witness, World& world) {
  const auto heard = call_witness(witness, protocol::Environment::of_process());
  if (!heard.ok()) return world.blind.blind("runtime", heard.error());
  if (heard.value()) believe(*heard.value(), world);
}

void look_at_machine(NodeFacts& node) {
  utsname names{};
  if (uname(&names) == 0) {
    node.name = static_cast<const char*>(names.nodename);
    node.kernel = static_cast<const char*>(names.release);
  }
  timespec time{};
  if (clock_gettime(CLOCK_BOOTTIME, &time) == 0) node.up_seconds = time.tv_sec;
  node.now = std::time(nullptr);
}

std::optional<bool> forwards(Netlink& route, Family family, Report& blind) {
  const auto on = net::is_forwarding(route, family);
  if (!on.ok()) blind.blind("forwarding", on.error());
  return on.ok() ? std::optional(on.value()) : std::nullopt;
}

// The links by which pods' packets come in where the host is their way out.
std::set<std::string> gateways_in(const Facts& facts) {
  std::set<std::string> out;
  for (const Attached& each : facts.world.attached) {
    const bool routed = each.life() == Life::kLive && each.setup && each.setup->gateway;
    const net::Link* gateway = routed && !each.setup->bridge.empty() ? facts.gateway_of(each) : nullptr;
    if (gateway != nullptr) out.insert(gateway->name);
  }
  return out;
}

Status look_for_drops(Netlink& route, Facts& facts) {
  CNIO_LET(auto nft, net::NftConnection::open());
  if (!nft) return {};
  for (const std::string& name : gateways_in(facts)) {
    const net::Link* link = facts.world.find_link(name);
    firewall::ForwardSpec spec{name, link->index, {}};
    for (const net::OwnedAddress& own : facts.node.addresses) {
      if (own.owner == link->index && !own.address.cidr.addr.is_link_local_unicast()) {
        spec.sources.push_back(own.address.cidr.network());
      }
    }
    if (spec.sources.empty()) continue;
    CNIO_LET(const auto drop, firewall::find_forward_drop(*nft, route, spec));
    if (drop) facts.node.drops.push_back(*drop);
  }
  return {};
}

// One pod of each network and family stands for all.
Status look_for_misroutes(Netlink& route, Facts& facts) {
  std::set<std::pair<std::string, Family>> done;
  for (const Attached& each : facts.world.attached) {
    const bool routed = each.life() == Life::kLive && each.setup && each.setup->gateway;
    const net::Link* gateway = routed ? facts.gateway_of(each) : nullptr;
    if (gateway == nullptr) continue;
    for (const IpAddr& address : each.all_addresses()) {
      if (!done.insert({each.who.network, address.family()}).second) continue;
      CNIO_LET(const auto match, net::match_route(route, address));
      if (match && match->link == gateway->index) continue;
      const net::Link* by = match ? facts.world.find_link(match->link) : nullptr;
      facts.node.misroutes.push_back({each.who.network, address, by == nullptr ? "" : by->name, gateway->name});
    }
  }
  return {};
}

// What the node says of itself, whatever pods it has.
struct Bearings {
  std::vector<net::OwnedAddress> addresses = {};
  std::optional<net::IfIndex> uplink = {};
  std::optional<bool> forwards_ipv4 = {};
  std::optional<bool> forwards_ipv6 = {};
  Report blind = {};
};

Bearings take_bearings() {
  Bearings out;
  auto route = Netlink::open(NETLINK_ROUTE);
  if (!route.ok()) {
    out.blind.blind("addresses", route.error());
    return out;
  }
  auto addresses = net::list_addresses(route.value());
  if (!addresses.ok()) out.blind.blind("addresses", addresses.error());
  if (addresses.ok()) out.addresses = std::move(addresses).value();
  const auto uplink = net::find_default_route_link(route.value());
  if (uplink.ok()) out.uplink = uplink.value();
  out.forwards_ipv4 = forwards(route.value(), Family::kIpv4, out.blind);
  out.forwards_ipv6 = forwards(route.value(), Family::kIpv6, out.blind);
  return out;
}

void add_bearings(Bearings bearings, Facts& facts) {
  const net::Link* uplink = bearings.uplink ? facts.world.find_link(*bearings.uplink) : nullptr;
  if (uplink != nullptr) facts.node.uplink = uplink->name;
  facts.node.addresses = std::move(bearings.addresses);
  facts.node.forwards_ipv4 = bearings.forwards_ipv4;
  facts.node.forwards_ipv6 = bearings.forwards_ipv6;
  facts.world.blind.append(bearings.blind);
}

void look_at_ways(Facts& facts, Depth depth) {
  Report& blind = facts.world.blind;
  auto route = Netlink::open(NETLINK_ROUTE);
  if (!route.ok()) return blind.blind("node", route.error());
  const Status firewall = depth == Depth::kAll ? look_for_drops(route.value(), facts) : Status();
  for (const Status& looked : {firewall, look_for_misroutes(route.value(), facts)}) {
    if (!looked.ok()) blind.blind("node", looked.error());
  }
}

std::string folder_of(const NetworkView& network, const Places& places) {
  return (network.data_dir.empty() ? places.stores.data_dir : network.data_dir) + "/" + network.name;
}

// Which address ADD would give. The sets are in the order in which the store counts them.
void look_for_next(const Places& places, Facts& facts) {
  for (NetworkPools& each : facts.pools) {
    const NetworkView* network = facts.find_network(each.network);
    if (network == nullptr || network->sets.empty()) continue;
    auto store = ipam::ReservationStore::peek(folder_of(*network, places));
    if (!store.ok()) continue;  // that has been said
    for (size_t i = 0; i < network->sets.size(); ++i) {
      const auto last = store.value() ? store.value()->last_given(i) : std::nullopt;
      const auto taken = [&](const IpAddr& address) { return store.value() && store.value()->taken(address); };
      each.pools[i].next = network->sets[i].next_free(last, taken);
    }
  }
}

// The pool that an address counts in; that of strays, behind those of the sets, is made when it is needed.
Pool& pool_of(NetworkPools& pools, const NetworkView* network, const IpAddr& address) {
  const size_t sets = network == nullptr ? 0 : network->sets.size();
  for (size_t i = 0; i < sets; ++i) {
    if (network->sets[i].find(address) != nullptr) return pools.pools[i];
  }
  if (pools.pools.size() == sets) pools.pools.push_back({});
  return pools.pools.back();
}

}  // namespace

size_t& Pool::count(Life life) {
  if (life == Life::kLive) return live;
  if (life == Life::kRebooted) return rebooted;
  return life == Life::kGone ? gone : unknown;
}

const NetworkView* Facts::find_network(const std::string& name) const { return find_in(networks, name); }

const net::Link* Facts::gateway_of(const Attached& attached) const {
  if (!attached.setup) return nullptr;
  if (attached.setup->bridge.empty()) return attached.host_ends.empty() ? nullptr : &attached.host_ends.back();
  const std::string vlan = attached.setup->vlan == 0 ? "" : "." + std::to_string(attached.setup->vlan);
  return world.find_link(attached.setup->bridge + vlan);
}

std::vector<NetworkPools> count_pools(const World& world, const std::vector<NetworkView>& networks) {
  std::map<std::string, NetworkPools> by_name;
  for (const NetworkView& network : networks) {
    NetworkPools& pools = by_name[network.name];
    if (!pools.network.empty()) continue;  // the first file of a name counts
    pools.network = network.name;
    for (const ipam::RangeSet& set : network.sets) pools.pools.push_back({set.to_string(), set.size(), {}});
  }
  const auto pool = [&](const std::string& network, const IpAddr& address) -> Pool& {
    NetworkPools& pools = by_name[network];
    pools.network = network;
    return pool_of(pools, find_in(networks, network), address);
  };
  for (const Attached& attached : world.attached) {
    for (const HeldAddress& each : attached.addresses)
      ++pool(attached.who.network, each.address).count(attached.life());
  }
  for (const ForeignFile& each : world.foreign) ++pool(each.network, each.address).foreign;
  std::vector<NetworkPools> out;
  for (auto& [name, pools] : by_name) {
    if (!pools.pools.empty()) out.push_back(std::move(pools));
  }
  return out;
}

void keep_networks(const std::vector<std::string>& names, Facts& facts) {
  if (names.empty()) return;
  const auto other = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) == names.end();
  };
  std::erase_if(facts.world.attached, [&](const Attached& each) { return other(each.who.network); });
  std::erase_if(facts.world.foreign, [&](const ForeignFile& each) { return other(each.network); });
  std::erase_if(facts.world.stores, other);
  std::erase_if(facts.networks, [&](const NetworkView& each) { return other(each.name); });
  std::erase_if(facts.node.misroutes, [&](const Misroute& each) { return other(each.network); });
  std::erase_if(facts.pools, [&](const NetworkPools& each) { return other(each.network); });
  facts.world.unsaid.clear();  // they may be of any
}

Facts look_at_facts(const Places& places, Depth depth) {
  std::future<Bearings> bearings;
  if (depth != Depth::kStores) bearings = std::async(take_bearings);
  Facts facts;
  facts.world = look_at_world(places.stores);
  hear(places.witness, facts.world);
  facts.networks = read_networks(places.conf_dir, facts.world.blind);
  add_setups(facts);
  add_unnamed_networks(facts);
  look_at_machine(facts.node);
  if (bearings.valid()) {
    add_bearings(bearings.get(), facts);
    look_at_ways(facts, depth);
  }
  facts.pools = count_pools(facts.world, facts.networks);
  look_for_next(places, facts);
  keep_networks(places.networks, facts);
  return facts;
}

}  // namespace cnio::cnioctl
