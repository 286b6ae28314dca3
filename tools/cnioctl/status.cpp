// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/status.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "cnioctl/describe.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;

struct Count {
  size_t live = 0;
  size_t rebooted = 0;
  size_t gone = 0;
  size_t unknown = 0;

  void add(Life life) {
    if (life == Life::kLive) ++live;
    if (life == Life::kRebooted) ++rebooted;
    if (life == Life::kGone) ++gone;
    if (life == Life::kUnknown) ++unknown;
  }
  [[nodiscard]] size_t stale() const { return rebooted + gone; }
};

std::map<std::string, Count> count_attached(const World& world) {
  std::map<std::string, Count> out;
  for (const Attached& each : world.attached) out[each.who.network].add(each.life());
  return out;
}

// Containers, however many interfaces they have.
size_t count_pods(const World& world) {
  std::set<std::string> containers;
  for (const Attached& each : world.attached) {
    if (each.life() == Life::kLive) containers.insert(each.who.attachment.container_id);
  }
  return containers.size();
}

std::string gateways_text(const net::Link* bridge, const NodeFacts& node) {
  std::string text;
  for (const net::OwnedAddress& own : node.addresses) {
    const bool its = bridge != nullptr && own.owner == bridge->index && !own.address.cidr.addr.is_link_local_unicast();
    if (its) text += (text.empty() ? " " : ", ") + own.address.cidr.to_string();
  }
  return text;
}

std::string network_text(const NetworkView& network, const Count& count, const Facts& facts) {
  const Setup& setup = network.setup;
  const net::Link* bridge = setup.bridge.empty() ? nullptr : facts.world.find_link(setup.bridge);
  std::string text = setup.bridge.empty() ? shown(setup.type) : shown(setup.bridge) + gateways_text(bridge, facts.node);
  text += ", " + counted(count.live, "pod");
  for (const NetworkPools& each : facts.pools) {
    if (each.network != network.name) continue;
    for (const Pool& pool : each.pools) {
      if (pool.size == 0) continue;
      const std::string size = pool.size == UINT64_MAX ? "" : " of " + std::to_string(pool.size);
      text += ", " + std::to_string(pool.taken()) + size + " addresses";
    }
  }
  return text + (setup.masquerade ? ", " + masquerade_text(setup) : "");
}

std::string stale_text(const Count& count) {
  std::string text;
  if (count.rebooted != 0) text = counted(count.rebooted, "pod") + " of before the last boot";
  if (count.gone != 0) {
    text += (text.empty() ? counted(count.gone, "pod") : ", " + std::to_string(count.gone)) + " whose sandbox is gone";
  }
  return text;
}

std::string head_text(const Facts& facts) {
  return shown(facts.node.name) + ", up " + duration(facts.node.up_seconds) + ", kernel " + shown(facts.node.kernel) +
         ", plugins " + CNIO_VERSION + ", " + counted(count_pods(facts.world), "pod") + "\n";
}

// Which file is used, and which quarrel. What cannot be read has been said.
std::vector<Finding> notes_in(const Report& files) {
  std::vector<Finding> out = files.findings();
  std::erase_if(out, [](const Finding& each) { return each.kind == "unreadable"; });
  return out;
}

std::string text_of(const Facts& facts, const std::vector<Problem>& problems, const std::vector<Finding>& notes,
                    std::map<std::string, Count> counts) {
  Table table("  ");
  for (const NetworkView& network : facts.networks) {
    const bool idle = !network.used && counts[network.name].live == 0;
    if (!idle) table.add({"ok", shown(network.name), network_text(network, counts[network.name], facts)});
  }
  for (const Problem& each : problems) {
    const std::string advice = each.advice.empty() ? "" : ": " + shown(each.advice);
    table.add({"WRONG", shown(each.where), shown(each.what) + advice + " [" + each.kind + "]"});
  }
  for (const auto& [network, count] : counts) {
    if (count.stale() != 0) table.add({"stale", shown(network), stale_text(count) + ": cnioctl gc --dry-run"});
    if (count.unknown != 0) {
      table.add({"note", shown(network), counted(count.unknown, "pod") + " of which nothing tells whether it lives"});
    }
  }
  for (const ForeignFile& each : facts.world.foreign) {
    table.add({"note", shown(each.network),
               shown(each.path) + " is no reservation: " + shown(each.what) + " [foreign-file]"});
  }
  for (const Finding& each : notes) table.add({"note", shown(each.where), shown(each.what) + " [" + each.kind + "]"});
  return head_text(facts) + table.text();
}

Json network_json(const NetworkView& network, const Count& count) {
  return {{"name", network.name},       {"file", network.file},           {"used", network.used},
          {"type", network.setup.type}, {"bridge", network.setup.bridge}, {"masquerade", network.setup.masquerade},
          {"live", count.live},         {"rebooted", count.rebooted},     {"gone", count.gone},
          {"unknown", count.unknown}};
}

std::string json_of(const Facts& facts, const std::vector<Problem>& problems, const std::vector<Finding>& notes,
                    std::map<std::string, Count> counts) {
  Json networks = Json::array();
  for (const NetworkView& each : facts.networks) networks.push_back(network_json(each, counts[each.name]));
  Json list = Json::array();
  for (const Problem& each : problems) {
    list.push_back({{"kind", each.kind},
                    {"where", each.where},
                    {"what", each.what},
                    {"advice", each.advice},
                    {"pods", each.pods}});
  }
  Json said = Json::array();
  for (const ForeignFile& each : facts.world.foreign) {
    said.push_back({{"kind", "foreign-file"}, {"where", each.path}, {"what", each.what}});
  }
  for (const Finding& each : notes) said.push_back({{"kind", each.kind}, {"where", each.where}, {"what", each.what}});
  return json_text({{"schema", kSchema},
                    {"node", facts.node.name},
                    {"upSeconds", facts.node.up_seconds},
                    {"kernel", facts.node.kernel},
                    {"plugins", CNIO_VERSION},
                    {"pods", count_pods(facts.world)},
                    {"networks", std::move(networks)},
                    {"problems", std::move(list)},
                    {"notes", std::move(said)}});
}

}  // namespace

Outcome status(const Facts& facts, const Report& files, bool json) {
  const auto problems = find_problems(facts);
  const auto notes = notes_in(files);
  const auto counts = count_attached(facts.world);
  const bool stale =
      std::any_of(counts.begin(), counts.end(), [](const auto& each) { return each.second.stale() != 0; });
  return outcome_of(facts, is_wrong(problems) || stale,
                    json ? json_of(facts, problems, notes, counts) : text_of(facts, problems, notes, counts));
}

}  // namespace cnio::cnioctl
