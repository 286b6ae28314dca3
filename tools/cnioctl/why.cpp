// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/why.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include <nlohmann/json.hpp>

#include "cnioctl/describe.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/sort_stably.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Failure;
using protocol::Json;

constexpr size_t kShownContainer = 13;  // of its ID
constexpr size_t kLater = 64;           // how many calls others may have made before a plugin has passed a failure on

// Failures that say the same.
struct Group {
  Failure last;
  size_t times = 0;
  int64_t since = 0;
};

bool is_of(const std::string& thing, const std::string& pod, const protocol::Attachment& id) {
  if (thing == pod || (!pod.empty() && pod.ends_with("/" + thing))) return true;
  return !id.container_id.empty() && is_called(id, thing);
}

bool is_wanted(const Failure& failure, const std::string& thing) {
  return thing.empty() || thing == failure.network || is_of(thing, failure.pod, failure.attachment);
}

// A plugin that called another tells what that has said.
bool is_passed_on(const std::vector<Failure>& all, size_t at) {
  const Failure& inner = all[at];
  const size_t end = std::min(all.size(), at + 1 + kLater);
  return std::any_of(all.begin() + static_cast<ptrdiff_t>(at) + 1, all.begin() + static_cast<ptrdiff_t>(end),
                     [&](const Failure& outer) {
                       return outer.verb == inner.verb && outer.plugin != inner.plugin &&
                              outer.attachment == inner.attachment && outer.network == inner.network &&
                              outer.msg.find(inner.msg) != std::string::npos;
                     });
}

// A runtime tries again with another container.
std::string without_container(std::string text, const std::string& id) {
  for (size_t at = text.find(id); !id.empty() && at != std::string::npos; at = text.find(id, at))
    text.erase(at, id.size());
  return text;
}

// The newest last.
std::vector<Group> group(const std::vector<Failure>& all, const std::string& thing) {
  using Key = std::tuple<std::string, std::string, unsigned, std::string, std::string, std::string, std::string>;
  std::map<Key, Group> groups;
  for (size_t i = 0; i < all.size(); ++i) {
    const Failure& each = all[i];
    if (!is_wanted(each, thing) || is_passed_on(all, i)) continue;
    const std::string& id = each.attachment.container_id;
    Group& same = groups[{each.verb, each.plugin, each.code, each.network, each.pod.empty() ? id : each.pod,
                          each.attachment.ifname, without_container(each.msg, id)}];
    if (same.times++ == 0) same.since = each.time;
    same.last = each;
  }
  std::vector<Group> out;
  for (auto& [key, each] : groups) out.push_back(std::move(each));
  sort_stably(out, [](const Group& a, const Group& b) { return a.last.time < b.last.time; });
  return out;
}

std::string pool_text(const Pool& pool) {
  std::string text = pool.range + ": " + std::to_string(pool.live) + " live";
  const auto add = [&](size_t count, const char* what) {
    if (count != 0) text += ", " + std::to_string(count) + " " + what;
  };
  add(pool.rebooted, "rebooted (given again when needed)");
  add(pool.gone, "gone");
  add(pool.unknown, "unknown");
  add(pool.foreign, "foreign");
  text += ", " + std::to_string(pool.free()) + " free";
  return text + (pool.rebooted + pool.gone != 0 ? ": cnioctl gc --dry-run" : "");
}

std::string pod_now(const Attached& attached) {
  if (!is_stale(attached.life())) {
    return "it is " + std::string(to_string(attached.life())) + ", with " + addresses_text(attached);
  }
  return "what it had is " + std::string(to_string(attached.life())) + ": cnioctl gc --dry-run";
}

// One pod has had several containers: the one of now counts.
void add_pods(const Failure& failure, const Facts& facts, std::vector<std::string>& out) {
  const Attached* now = nullptr;
  for (const Attached& each : facts.world.attached) {
    const bool same = failure.pod.empty() ? each.who.attachment == failure.attachment : each.pod == failure.pod;
    if (same && each.who.network == failure.network && (now == nullptr || is_stale(now->life()))) now = &each;
  }
  if (now != nullptr) out.push_back(pod_now(*now));
  if (now == nullptr && !failure.attachment.container_id.empty()) out.emplace_back("nothing of it is here");
}

// What is so now of what it failed for.
std::vector<std::string> now_of(const Failure& failure, const Facts& facts) {
  std::vector<std::string> out;
  const bool full = failure.code == static_cast<unsigned>(Code::kNoAddress);
  for (const NetworkPools& network : facts.pools) {
    for (const Pool& pool : network.pools) {
      if (full && network.network == failure.network && pool.size != 0) out.push_back(pool_text(pool));
    }
  }
  add_pods(failure, facts, out);
  for (const Problem& each : find_problems(facts)) {
    const bool its = each.where == failure.network || each.where == "node";
    if (its && each.kind != "pool-low") out.push_back(each.what + (each.advice.empty() ? "" : ": " + each.advice));
  }
  return out;
}

std::string who_text(const Failure& failure) {
  if (!failure.pod.empty()) return shown(failure.pod);
  const std::string& id = failure.attachment.container_id;
  return id.empty() ? "-" : "container " + shown(id.substr(0, kShownContainer));
}

std::string text_of(const Group& group, const std::vector<std::string>& now) {
  const Failure& last = group.last;
  std::string out = time_text(last.time) + "  " + shown(last.verb) + "  " +
                    (last.network.empty() ? "-" : shown(last.network)) + "  " + who_text(last) + "  code " +
                    std::to_string(last.code) + "  " + std::to_string(last.took_ms) + " ms";
  if (group.times > 1) out += "  (" + std::to_string(group.times) + " times since " + time_text(group.since) + ")";
  out += "\n  " + shown(last.plugin) + ": " + shown(last.msg) + "\n";
  if (!last.details.empty()) out += "  (" + shown(last.details) + ")\n";
  for (const std::string& each : now) out += "  now: " + shown(each) + "\n";
  return out;
}

Json json_of(const Group& group, std::vector<std::string> now) {
  const Failure& last = group.last;
  return {{"time", last.time},
          {"verb", last.verb},
          {"plugin", last.plugin},
          {"network", last.network},
          {"container", last.attachment.container_id},
          {"ifname", last.attachment.ifname},
          {"pod", pod_json(last.pod)},
          {"code", last.code},
          {"msg", last.msg},
          {"details", last.details},
          {"tookMs", last.took_ms},
          {"times", group.times},
          {"since", group.since},
          {"now", std::move(now)}};
}

bool is_known(const Facts& facts, const std::string& thing) {
  const auto& all = facts.world.attached;
  return thing.empty() || facts.find_network(thing) != nullptr ||
         std::any_of(all.begin(), all.end(),
                     [&](const Attached& each) { return is_of(thing, each.pod, each.who.attachment); });
}

}  // namespace

Outcome why(const Facts& facts, const std::string& thing, bool json) {
  const auto groups = group(facts.failures.failures, thing);
  Json list = Json::array();
  std::string text;
  for (const Group& each : groups) {
    auto now = now_of(each.last, facts);
    if (!json) text += text_of(each, now);
    if (json) list.push_back(json_of(each, std::move(now)));
  }
  if (json) text = json_text({{"schema", kSchema}, {"failures", std::move(list)}});
  if (!json && groups.empty()) {
    text = "no call that failed is kept" + (thing.empty() ? "" : " of " + shown(thing)) + "\n";
  }
  Outcome outcome = outcome_of(facts, !groups.empty(), std::move(text));
  if (groups.empty() && outcome.exit == Exit::kWell && !is_known(facts, thing)) outcome.exit = Exit::kNothing;
  return outcome;
}

}  // namespace cnio::cnioctl
