// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/pods.hpp"

#include <nlohmann/json.hpp>

#include "cnioctl/describe.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;

std::string wrong_text(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& each : problems) text.append(text.empty() ? "! " : ", ").append(shown(each.what));
  return text;
}

std::string ends_text(const Attached& attached) {
  std::string text;
  for (const net::Link& link : attached.host_ends) text.append(text.empty() ? "" : ",").append(shown(link.name));
  return text.empty() ? "-" : text;
}

}  // namespace

Outcome pods(const Facts& facts, bool all, bool json) {
  Table table;
  table.add({"POD", "NETWORK", "INTERFACE", "ADDRESSES", "HOST END", "STATE", ""});
  Json list = Json::array();
  bool found = false;
  for (const Attached& each : facts.world.attached) {
    if (!all && is_stale(each.life())) continue;
    const auto problems = problems_of(each, facts);
    found = found || !problems.empty();
    if (json) list.push_back(describe(each, facts));
    if (json) continue;
    table.add({shown(each.name()), shown(each.who.network), shown(each.who.attachment.ifname), addresses_text(each),
               ends_text(each), std::string(to_string(each.life())), wrong_text(problems)});
  }
  if (json) return outcome_of(facts, found, json_text({{"schema", kSchema}, {"pods", std::move(list)}}));
  return outcome_of(facts, found, table.text());
}

}  // namespace cnio::cnioctl
