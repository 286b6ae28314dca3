// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/ipam.hpp"

#include <cstdint>

#include <nlohmann/json.hpp>

#include "cnioctl/describe.hpp"
#include "cnioctl/print.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;

Json number_or_null(uint64_t number) { return number == UINT64_MAX ? Json(nullptr) : Json(number); }
std::string number_text(uint64_t number) { return number == UINT64_MAX ? "2^64 or more" : std::to_string(number); }

bool is_wanted(const std::string& state, Life life) {
  return state == to_string(life) || (state == "stale" && is_stale(life));
}

bool has_stale(const Facts& facts) {
  for (const NetworkPools& network : facts.pools) {
    for (const Pool& pool : network.pools) {
      if (pool.rebooted + pool.gone != 0) return true;
    }
  }
  return false;
}

Json pool_json(const Pool& pool) {
  const bool known = pool.size != 0;
  return {{"range", pool.range},
          {"size", known ? number_or_null(pool.size) : Json(nullptr)},
          {"live", pool.live},
          {"rebooted", pool.rebooted},
          {"gone", pool.gone},
          {"unknown", pool.unknown},
          {"foreign", pool.foreign},
          {"free", known && pool.size != UINT64_MAX ? Json(pool.free()) : Json(nullptr)},
          {"next", pool.next ? Json(pool.next->to_string()) : Json(nullptr)}};
}

Json foreign_json(const ForeignFile& each) {
  return {{"network", each.network},
          {"address", each.address.to_string()},
          {"state", "foreign"},
          {"reason", each.what},
          {"file", each.path}};
}

std::string summary_json(const Facts& facts) {
  Json list = Json::array();
  for (const NetworkPools& network : facts.pools) {
    Json pools = Json::array();
    for (const Pool& pool : network.pools) pools.push_back(pool_json(pool));
    list.push_back({{"network", network.network}, {"pools", std::move(pools)}});
  }
  Json foreign = Json::array();
  for (const ForeignFile& each : facts.world.foreign) foreign.push_back(foreign_json(each));
  return json_text({{"schema", kSchema}, {"networks", std::move(list)}, {"foreign", std::move(foreign)}});
}

std::string summary_text(const Facts& facts) {
  Table table;
  table.add({"network", "range", "size", "live", "rebooted", "gone", "unknown", "foreign", "free", "next"});
  for (const NetworkPools& network : facts.pools) {
    for (const Pool& pool : network.pools) {
      const bool known = pool.size != 0;
      const bool endless = pool.size == UINT64_MAX;
      table.add({shown(network.network), known ? pool.range : "in no range", known ? number_text(pool.size) : "-",
                 std::to_string(pool.live), std::to_string(pool.rebooted), std::to_string(pool.gone),
                 std::to_string(pool.unknown), std::to_string(pool.foreign),
                 known ? number_text(endless ? UINT64_MAX : pool.free()) : "-",
                 pool.next ? pool.next->to_string() : "-"});
    }
  }
  std::string foreign;
  for (const ForeignFile& each : facts.world.foreign) {
    foreign += "  foreign: " + shown(each.path) + " (" + shown(each.what) + ")\n";
  }
  return table.text() + foreign;
}

// Each address of the state, whatever it is of.
template <class Visit>
void each_of(const Facts& facts, const std::string& state, const Visit& visit) {
  for (const Attached& attached : facts.world.attached) {
    if (!is_wanted(state, attached.life())) continue;
    for (const HeldAddress& each : attached.addresses) visit(attached, each);
  }
}

std::string list_json(const Facts& facts, const std::string& state) {
  Json list = Json::array();
  each_of(facts, state, [&](const Attached& attached, const HeldAddress& each) {
    list.push_back({{"network", attached.who.network},
                    {"address", each.address.to_string()},
                    {"state", to_string(attached.life())},
                    {"reason", attached.verdict.reason},
                    {"container", attached.who.attachment.container_id},
                    {"ifname", attached.who.attachment.ifname},
                    {"file", each.file}});
  });
  if (state == "foreign") {
    for (const ForeignFile& each : facts.world.foreign) list.push_back(foreign_json(each));
  }
  return json_text({{"schema", kSchema}, {"addresses", std::move(list)}});
}

std::string list_text(const Facts& facts, const std::string& state) {
  Table table;
  each_of(facts, state, [&](const Attached& attached, const HeldAddress& each) {
    table.add({each.address.to_string(), shown(attached.who.network), shown(attached.name()),
               std::string(to_string(attached.life())), shown(attached.verdict.reason)});
  });
  if (state == "foreign") {
    for (const ForeignFile& each : facts.world.foreign) {
      table.add({each.address.to_string(), shown(each.network), shown(each.path), "foreign", shown(each.what)});
    }
  }
  return table.text();
}

}  // namespace

Outcome ipam(const Facts& facts, const std::string& state, bool json) {
  if (state.empty()) return outcome_of(facts, has_stale(facts), json ? summary_json(facts) : summary_text(facts));
  return outcome_of(facts, has_stale(facts), json ? list_json(facts, state) : list_text(facts, state));
}

}  // namespace cnio::cnioctl
