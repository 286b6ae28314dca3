// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/picture/scene.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "cnioctl/describe.hpp"
#include "cnioctl/picture/fold.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

constexpr size_t kMostRoutes = 12;
constexpr size_t kMostProblems = 8;

Look look_of(Life life) {
  if (is_stale(life)) return Look::kStale;
  return life == Life::kUnknown ? Look::kUnknown : Look::kWell;
}

// Where the pod hangs, or would hang: a bridge's name, or none.
std::string bridge_of(const Attached& attached, const Facts& facts) {
  for (const net::Link& end : attached.host_ends) {
    const net::Link* master = end.master == net::IfIndex::kNone ? nullptr : facts.world.find_link(end.master);
    if (master != nullptr) return master->name;
  }
  return attached.setup ? attached.setup->bridge : std::string();
}

SceneRow row_of(const Attached& attached, const Facts& facts) {
  SceneRow row{look_of(attached.life()), shown(attached.name())};
  row.addresses = addresses_text(attached);
  if (!attached.host_ends.empty()) row.host_end = shown(attached.host_ends.back().name);
  row.title = describe_text(attached, facts);
  if (row.look != Look::kWell) {
    row.trouble = std::string(to_string(attached.life())) + ": " + shown(attached.verdict.reason);
  }
  for (const Problem& each : problems_of(attached, facts)) {
    if (each.kind == "port-lost" || each.kind == "no-bridge") row.attached = false;
    row.trouble += (row.look == Look::kWrong ? ", " : "") + shown(each.what);
    row.look = Look::kWrong;
  }
  return row;
}

// The key that puts pods together: the bridge, or else the network.
struct Place {
  std::string bridge;
  std::string network;  // of those without a bridge
  auto operator<=>(const Place&) const = default;
};
Place place_of(const Attached& attached, const Facts& facts) {
  const std::string bridge = bridge_of(attached, facts);
  return {bridge, bridge.empty() ? attached.who.network : std::string()};
}

std::string taken_text(const std::string& network, const Facts& facts) {
  std::string text;
  for (const NetworkPools& each : facts.pools) {
    if (each.network != network) continue;
    for (const Pool& pool : each.pools) {
      if (pool.size == 0) continue;
      text += (text.empty() ? "" : ", ") + std::to_string(pool.taken());
      if (pool.size != UINT64_MAX) text += " of " + std::to_string(pool.size);
    }
  }
  return text.empty() ? text : text + " addresses";
}

void add_line(SceneBox& box, const std::string& line) {
  if (!line.empty()) box.lines.push_back(line);
}

void add_networks(const Place& place, const Facts& facts, SceneBox& box) {
  for (const NetworkView& each : facts.networks) {
    const bool its = place.bridge.empty() ? each.name == place.network : each.setup.bridge == place.bridge;
    if (!its) continue;
    add_line(box, shown(each.name));
    add_line(box, taken_text(each.name, facts));
    add_line(box, masquerade_text(each.setup));
  }
}

SceneBox bridge_box(const Place& place, const Facts& facts) {
  SceneBox box{Look::kWell, {shown(place.bridge)}};
  const net::Link* link = facts.world.find_link(place.bridge);
  if (link == nullptr || !link->up) box.look = Look::kWrong;
  if (link == nullptr) add_line(box, "is gone");
  if (link != nullptr && !link->up) add_line(box, "is down");
  if (link != nullptr) add_line(box, link_addresses(*link, facts.node));
  return box;
}

SceneBox type_box(const Place& place, const Facts& facts) {
  const NetworkView* network = facts.find_network(place.network);
  const std::string type = network == nullptr ? std::string() : network->setup.type;
  return {Look::kWell, {type.empty() ? "no bridge" : shown(type)}};
}

SceneBox box_of(const Place& place, const Facts& facts) {
  SceneBox box = place.bridge.empty() ? type_box(place, facts) : bridge_box(place, facts);
  add_networks(place, facts, box);
  for (const std::string& line : box.lines) box.title += line + "\n";
  return box;
}

// Two bridges of one subnet, for example, are the trouble of a bridge, and not of a pod.
void add_gateway_troubles(const std::vector<Problem>& problems, std::vector<SceneGroup>& groups) {
  for (const Problem& each : problems) {
    if (each.kind != "duplicate-gateway") continue;
    for (SceneGroup& group : groups) {
      const std::string& name = group.box.lines.front();
      const bool its = shown(each.what).find(name + " has ") != std::string::npos;
      if (its) group.box.look = Look::kWrong;
    }
  }
}

// Host ends that bear no mark: somebody's, most often the reference's.
void add_unsaid(const Facts& facts, std::map<Place, SceneGroup>& groups) {
  for (const net::Link& link : facts.world.unsaid) {
    const net::Link* master = link.master == net::IfIndex::kNone ? nullptr : facts.world.find_link(link.master);
    if (master == nullptr) continue;
    SceneRow row{Look::kUnknown, "not known whose", {}, shown(link.name)};
    row.title = shown(link.name) + " in " + shown(master->name) + ": its alias does not say whose it is\n";
    groups[{master->name, {}}].rows.push_back(std::move(row));
  }
}

bool is_routed(const Place& place, const Facts& facts) {
  const NetworkView* network = facts.find_network(place.network);
  return !place.bridge.empty() || network == nullptr || network->setup.gateway;
}

std::vector<SceneGroup> groups_of(const Facts& facts) {
  std::map<Place, SceneGroup> by_place;
  for (const NetworkView& each : facts.networks) {
    if (facts.world.find_link(each.setup.bridge) != nullptr) by_place[{each.setup.bridge, {}}];
  }
  for (const Attached& each : facts.world.attached) by_place[place_of(each, facts)].rows.push_back(row_of(each, facts));
  add_unsaid(facts, by_place);
  std::vector<SceneGroup> out;
  for (auto& [place, group] : by_place) {
    group.box = box_of(place, facts);
    group.routed = is_routed(place, facts);
    out.push_back(std::move(group));
  }
  return out;
}

std::string forwards_text(const std::string& family, const std::optional<bool>& on) {
  return family + ": " + (!on ? "not known" : *on ? "on" : "off");
}

SceneBox forwarding_of(const Facts& facts, const std::vector<Problem>& problems) {
  SceneBox box{Look::kWell, {"forwarding"}};
  add_line(box, forwards_text("IPv4", facts.node.forwards_ipv4));
  add_line(box, forwards_text("IPv6", facts.node.forwards_ipv6));
  for (const firewall::ForwardDrop& each : facts.node.drops) add_line(box, shown(each.chain) + " drops");
  for (const Problem& each : problems) {
    if (each.kind != "no-forwarding" && each.kind != "forward-drop") continue;
    box.look = Look::kWrong;
    box.title += shown(each.what) + "\n";
  }
  return box;
}

SceneBox uplink_of(const Facts& facts) {
  const net::Link* link = facts.world.find_link(facts.node.uplink);
  if (link == nullptr) return {Look::kWrong, {"no uplink", "no default route"}};
  SceneBox box{link->up ? Look::kWell : Look::kWrong, {shown(link->name)}};
  add_line(box, link_addresses(*link, facts.node));
  add_line(box, "MTU " + std::to_string(link->mtu));
  return box;
}

std::vector<std::string> routes_of(const Facts& facts) {
  std::vector<std::string> out;
  for (const NodeRoute& each : facts.node.routes) out.push_back(route_text(each));
  return out;
}

std::string about(const Facts& facts) {
  std::set<std::string> pods;
  for (const Attached& each : facts.world.attached) {
    if (!is_stale(each.life())) pods.insert(each.who.attachment.container_id);
  }
  return counted(pods.size(), "pod") + ", kernel " + shown(facts.node.kernel) + ", " + time_text(facts.node.now) +
         " UTC";
}

// No more than `most`, and how many there are besides.
void cut(std::vector<std::string>& lines, size_t most) {
  if (lines.size() <= most) return;
  const size_t left = lines.size() - most;
  lines.resize(most);
  lines.push_back("+ " + std::to_string(left) + " more");
}

}  // namespace

std::string_view to_string(Look look) {
  switch (look) {
    case Look::kWell:
      return "well";
    case Look::kWrong:
      return "wrong";
    case Look::kStale:
      return "stale";
    case Look::kUnknown:
      break;
  }
  return "unknown";
}

Scene make_scene(const Facts& facts) {
  const auto problems = find_problems(facts);
  Scene scene{shown(facts.node.name), about(facts),    {}, groups_of(facts), forwarding_of(facts, problems),
              uplink_of(facts),       routes_of(facts)};
  for (const Problem& each : problems) scene.problems.push_back(shown(each.where) + ": " + shown(each.what));
  add_gateway_troubles(problems, scene.groups);
  for (SceneGroup& each : scene.groups) fold(each.rows, rows_for_each(scene.groups));
  cut(scene.problems, kMostProblems);
  cut(scene.routes, kMostRoutes);
  return scene;
}

}  // namespace cnio::cnioctl
