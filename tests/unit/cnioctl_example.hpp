// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "cnioctl/world/facts.hpp"

namespace cnio::cnioctl::example {

inline Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }
inline IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

/// A node with an uplink and bridges of pods, as plain data: the same each time.
class Node {
 public:
  Node() {
    facts.node.name = "node-1";
    facts.node.kernel = "6.1.0";
    facts.node.up_seconds = 3 * 3600;
    facts.node.now = 1'795'825'709;
    facts.node.uplink = "eth0";
    facts.node.forwards_ipv4 = facts.node.forwards_ipv6 = true;
    own("192.168.1.11/24", add_link("eth0", ""));
    facts.node.routes = {{"eth0", cidr("0.0.0.0/0"), {ip("192.168.1.1")}},
                         {"eth0", cidr("10.240.2.0/24"), {ip("192.168.1.12")}}};
  }

  net::IfIndex add_link(const std::string& name, const std::string& kind, net::IfIndex master = net::IfIndex::kNone) {
    net::Link link;
    link.index = net::IfIndex{static_cast<int>(facts.world.links.size()) + 2};
    link.name = name;
    link.kind = kind;
    link.mtu = 1500;
    link.up = link.carrier = link.operational = true;
    link.master = master;
    facts.world.links.push_back(link);
    return link.index;
  }
  void own(const std::string& address, net::IfIndex of) {
    net::OwnedAddress out;
    out.owner = of;
    out.address.cidr = cidr(address);
    facts.node.addresses.push_back(out);
  }
  /// A network of bridge with host-local's addresses; subnets are of the form "10.240.1", for "10.240.1.0/24".
  void add_network(const std::string& name, const std::string& bridge, const std::string& subnet,
                   const std::string& subnet6 = {}) {
    NetworkView network{name, "/etc/cni/net.d/10-" + name + ".conf", true};
    network.setup.type = "bridge";
    network.setup.bridge = bridge;
    network.setup.gateway = network.setup.masquerade = true;
    network.setup.exclude = {"10.240.0.0/16"};
    network.sets.emplace_back(std::vector<ipam::Range>{ipam::default_range(cidr(subnet + ".0/24"))});
    if (!subnet6.empty()) {
      network.sets.emplace_back(std::vector<ipam::Range>{ipam::default_range(cidr(subnet6 + "::/64"))});
    }
    const net::IfIndex index = add_link(bridge, "bridge");
    own(subnet + ".1/24", index);
    if (!subnet6.empty()) own(subnet6 + "::1/64", index);
    facts.networks.push_back(std::move(network));
  }
  /// A pod that lives and is well, in the last network.
  Attached& add_pod(const std::string& pod, const std::vector<std::string>& addresses) {
    Attached& out = add(pod, addresses);
    const std::string number = std::to_string(facts.world.attached.size());
    const net::Link* bridge = facts.world.find_link(facts.networks.back().setup.bridge);
    add_link("veth" + std::string(8 - std::min<size_t>(number.size(), 8), 'a') + number, "veth", bridge->index);
    out.host_ends = {facts.world.links.back()};
    out.verdict = {Life::kLive, "host end and sandbox are there"};
    out.rules = {masquerade(addresses)};
    return out;
  }
  /// One of which only the address is left.
  Attached& add_lost(const std::string& pod, const std::string& address, Life life = Life::kGone) {
    Attached& out = add(pod, {address});
    out.verdict = {life, "/run/netns/cni-3f0f is not there any more"};
    return out;
  }
  Facts& counted() {
    facts.pools = count_pools(facts.world, facts.networks);
    return facts;
  }

  Facts facts;

 private:
  Attached& add(const std::string& pod, const std::vector<std::string>& addresses) {
    const NetworkView& network = facts.networks.back();
    const std::string container = "c" + std::to_string(facts.world.attached.size() + 1);
    Attached out{{network.name, {container, "eth0"}}};
    out.pod = pod;
    out.setup = network.setup;
    for (const std::string& each : addresses) {
      out.addresses.push_back({ip(each), "/var/lib/cni/networks/" + network.name + "/" + each, {}});
    }
    facts.world.attached.push_back(std::move(out));
    return facts.world.attached.back();
  }
  static firewall::OwnedRules masquerade(const std::vector<std::string>& addresses) {
    firewall::OwnedRules out{
        firewall::RuleKind::kMasquerade, {net::NftFamily::kInet, "cnio_masquerade"}, "att-1-2", "12"};
    for (const std::string& each : addresses) out.addresses.push_back(ip(each));
    return out;
  }
};

/// With one network, on a bridge, and so many pods in it.
inline Node node_of(size_t pods) {
  Node node;
  node.add_network("mynet", "cni0", "10.240.1");
  for (size_t i = 0; i < pods; ++i) {
    const std::string number = std::to_string(i);
    node.add_pod("default/web-" + number,
                 {"10.240." + std::to_string(1 + i / 250) + "." + std::to_string(2 + i % 250)});
  }
  return node;
}

}  // namespace cnio::cnioctl::example
