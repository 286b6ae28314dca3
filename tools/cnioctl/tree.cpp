// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/tree.hpp"

#include <map>

#include <nlohmann/json.hpp>

#include "cnioctl/describe.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;

// A line, with what hangs on it.
struct Branch {
  std::vector<std::string> cells;  // in columns with those of its siblings
  std::vector<Branch> branches = {};
  Json json = Json::object();
};

// What hangs on a bridge: pods of several networks may.
struct Bridge {
  const net::Link* link = nullptr;
  std::vector<std::pair<const Attached*, const net::Link*>> ports;
};

Branch pod_branch(const Attached& attached, const net::Link* end, const Facts& facts, bool json) {
  std::string wrong;
  for (const Problem& each : problems_of(attached, facts)) wrong += (wrong.empty() ? "! " : ", ") + shown(each.what);
  if (attached.life() != Life::kLive)
    wrong.insert(0, std::string(to_string(attached.life())) + (wrong.empty() ? "" : " "));
  return {{end == nullptr ? "-" : shown(end->name), addresses_text(attached), shown(attached.name()), wrong},
          {},
          json ? describe(attached, facts) : Json()};
}

Branch bridge_branch(const Bridge& bridge, const Facts& facts, bool json) {
  Branch out{{shown(bridge.link->name), link_addresses(*bridge.link, facts.node),
              networks_of_bridge(*bridge.link, facts),
              counted(bridge.ports.size(), "pod") + (bridge.link->up ? "" : ", down")}};
  out.json = {{"bridge", bridge.link->name}, {"up", bridge.link->up}, {"pods", Json::array()}};
  for (const auto& [attached, end] : bridge.ports) {
    out.branches.push_back(pod_branch(*attached, end, facts, json));
    if (json) out.json["pods"].push_back(out.branches.back().json);
  }
  return out;
}

// By the master of the host end; a bridge without pods is there if a network is on it.
std::map<net::IfIndex, Bridge> bridges_in(const Facts& facts) {
  std::map<net::IfIndex, Bridge> out;
  for (const NetworkView& each : facts.networks) {
    const net::Link* link = each.setup.bridge.empty() ? nullptr : facts.world.find_link(each.setup.bridge);
    if (link != nullptr) out[link->index].link = link;
  }
  for (const Attached& each : facts.world.attached) {
    for (const net::Link& end : each.host_ends) {
      const net::Link* link = end.master == net::IfIndex::kNone ? nullptr : facts.world.find_link(end.master);
      if (link == nullptr) continue;
      out[link->index].link = link;
      out[link->index].ports.emplace_back(&each, &end);
    }
  }
  return out;
}

Branch unbridged(const Facts& facts, bool json) {
  Branch out{{"in no bridge"}};
  out.json = {{"bridge", nullptr}, {"pods", Json::array()}};
  const auto add = [&](const Attached& attached, const net::Link* end) {
    out.branches.push_back(pod_branch(attached, end, facts, json));
    if (json) out.json["pods"].push_back(out.branches.back().json);
  };
  for (const Attached& each : facts.world.attached) {
    for (const net::Link& end : each.host_ends) {
      if (end.master == net::IfIndex::kNone) add(each, &end);
    }
    if (each.host_ends.empty() && !is_stale(each.life())) add(each, nullptr);
  }
  return out;
}

void draw(const std::vector<Branch>& branches, const std::string& indent, std::string& out) {
  Table table;
  for (const Branch& each : branches) table.add(each.cells);
  const std::string lines = table.text();
  size_t at = 0;
  for (size_t i = 0; i < branches.size(); ++i) {
    const bool last = i + 1 == branches.size();
    const size_t end = lines.find('\n', at);
    out += indent + (last ? "└─ " : "├─ ") + lines.substr(at, end - at) + "\n";
    at = end + 1;
    draw(branches[i].branches, indent + (last ? "   " : "│  "), out);
  }
}

std::string head_of(const Facts& facts) {
  std::string text = shown(facts.node.name);
  const net::Link* uplink = facts.world.find_link(facts.node.uplink);
  if (uplink != nullptr) text += "  " + shown(uplink->name) + " " + link_addresses(*uplink, facts.node);
  if (uplink == nullptr) text += "  no default route";
  if (facts.node.forwards_ipv4) text += *facts.node.forwards_ipv4 ? ", forwarding on" : ", forwarding off";
  return text + (facts.node.drops.empty() ? "" : ", FORWARD drops") + "\n";
}

}  // namespace

Outcome tree(const Facts& facts, bool json) {
  std::vector<Branch> branches;
  for (const auto& [index, bridge] : bridges_in(facts)) branches.push_back(bridge_branch(bridge, facts, json));
  Branch rest = unbridged(facts, json);
  if (!rest.branches.empty()) branches.push_back(std::move(rest));
  const bool found = is_wrong(find_problems(facts));
  if (json) {
    Json list = Json::array();
    for (const Branch& each : branches) list.push_back(each.json);
    return outcome_of(facts, found,
                      json_text({{"schema", kSchema}, {"node", facts.node.name}, {"bridges", std::move(list)}}));
  }
  std::string out = head_of(facts);
  draw(branches, "", out);
  return outcome_of(facts, found, std::move(out));
}

}  // namespace cnio::cnioctl
