// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/snapshot/snapshot.hpp"

#include <nlohmann/json.hpp>

#include "cnioctl/describe.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;

std::string name_of(net::IfIndex index, const World& world) {
  const net::Link* link = index == net::IfIndex::kNone ? nullptr : world.find_link(index);
  return link == nullptr ? std::string() : link->name;
}

Json links_of(const World& world) {
  Json list = Json::array();
  for (const net::Link& each : world.links) {
    list.push_back({{"name", each.name},
                    {"kind", each.kind},
                    {"up", each.up},
                    {"mtu", each.mtu},
                    {"mac", each.mac ? Json(each.mac->to_string()) : Json()},
                    {"bridge", name_of(each.master, world)},
                    {"alias", each.alias}});
  }
  return list;
}

Json addresses_of(const Facts& facts) {
  Json list = Json::array();
  for (const net::OwnedAddress& each : facts.node.addresses) {
    list.push_back({{"link", name_of(each.owner, facts.world)}, {"address", each.address.cidr.to_string()}});
  }
  return list;
}

Json routes_of(const NodeFacts& node) {
  Json list = Json::array();
  for (const NodeRoute& each : node.routes) list.push_back(route_text(each));
  return list;
}

Json drops_of(const NodeFacts& node) {
  Json list = Json::array();
  for (const firewall::ForwardDrop& each : node.drops) list.push_back(each.message());
  return list;
}

Json node_of(const Facts& facts) {
  const NodeFacts& node = facts.node;
  const auto known = [](const std::optional<bool>& on) { return on ? Json(*on) : Json(); };
  return {{"name", node.name},
          {"kernel", node.kernel},
          {"plugins", CNIO_VERSION},
          {"upSeconds", node.up_seconds},
          {"uplink", node.uplink},
          {"forwardsIpv4", known(node.forwards_ipv4)},
          {"forwardsIpv6", known(node.forwards_ipv6)},
          {"forwardDrops", drops_of(node)},
          {"addresses", addresses_of(facts)},
          {"routes", routes_of(node)},
          {"links", links_of(facts.world)}};
}

Json files_of(const std::vector<ConfFile>& files) {
  Json list = Json::array();
  for (const ConfFile& each : files) list.push_back({{"name", each.name}, {"content", each.json}});
  return list;
}

Json pods_of(const Facts& facts) {
  Json list = Json::array();
  for (const Attached& each : facts.world.attached) list.push_back(describe(each, facts));
  return list;
}

Json foreign_of(const World& world) {
  Json list = Json::array();
  for (const ForeignFile& each : world.foreign) list.push_back({{"file", each.path}, {"what", each.what}});
  return list;
}

Json problems_of(const Facts& facts) {
  Json list = Json::array();
  for (const Problem& each : find_problems(facts)) {
    list.push_back({{"kind", each.kind}, {"where", each.where}, {"what", each.what}});
  }
  return list;
}

}  // namespace

Json snapshot_of(const Facts& facts, const std::vector<ConfFile>& files) {
  return {{"schema", kSchema},
          {"snapshot",
           {{"made", facts.node.now},
            {"node", node_of(facts)},
            {"files", files_of(files)},
            {"pods", pods_of(facts)},
            {"foreign", foreign_of(facts.world)},
            {"problems", problems_of(facts)}}}};
}

}  // namespace cnio::cnioctl
