// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/gc_plan.hpp"

#include <algorithm>
#include <map>

namespace cnio::cnioctl {
namespace {

using firewall::RuleOwner;

// What the world says, and the runtime, and whoever wants those of whom nobody says anything.
Verdict decide(const Attached& attached, const GcChoice& choice, const LookAtFile& look) {
  Verdict said = judge(attached, choice.valid, look);
  if (said.life != Life::kUnknown || !choice.include_unknown || may_be_starting(attached, look)) return said;
  return {Life::kGone, "nothing says where its sandbox is, and those are included"};
}

bool is_chosen(const GcChoice& choice, const std::string& network) {
  const auto& names = choice.networks;
  return names.empty() || std::find(names.begin(), names.end(), network) != names.end();
}

std::vector<DoomedObject> objects_of(const Attached& attached, const LookAtFile& look) {
  std::vector<DoomedObject> out;
  for (const HeldAddress& each : attached.addresses) {
    out.push_back({"address", each.address.to_string(), look(each.file).stamp});
  }
  for (const net::Link& each : attached.host_ends) {
    out.push_back({"link", each.name, std::to_string(static_cast<int>(each.index))});
  }
  for (const auto& each : attached.pairs) out.push_back({"record", each.host_name, each.host_mac.to_string()});
  for (const firewall::OwnedRules& each : attached.rules) {
    std::string stamp;
    for (const IpAddr& address : each.addresses) stamp.append(stamp.empty() ? "" : " ").append(address.to_string());
    out.push_back({std::string(to_string(each.kind)), each.object, std::move(stamp)});
  }
  if (!attached.cache_file.empty()) {
    out.push_back({"cache", attached.cache_file, look(attached.cache_file).stamp});
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Without these nobody can tell who is alive.
Status require_sight(const World& world) {
  for (const Finding& each : world.blind.findings()) {
    if (each.where != "links" && each.where != "records") continue;
    return Error::make(Code::kTryAgain, "who is alive cannot be told: " + each.where + ": " + each.what);
  }
  return {};
}

// A cable says of a pod that it lives, and its sandbox is not where it was made: of one that may be, for its runtime
// moved it; of all, when the paths here are not those of the runtime.
Status require_runtimes_paths(const World& world) {
  bool elsewhere = false;
  for (const Attached& each : world.attached) {
    if (each.life() != Life::kLive || !each.evidence.present) continue;
    if (*each.evidence.present) return {};
    elsewhere = true;
  }
  if (!elsewhere) return {};
  return Error::make(Code::kTryAgain,
                     "no pod that lives has its sandbox where it was made: this does not see the "
                     "paths that the runtime sees")
      .hint("call it in the host's mount namespace, not in a container");
}

// After a boot it is certain that all of before are gone. Otherwise it may be that nobody is seen.
Status require_life(const GcPlan& plan) {
  const bool certain = std::all_of(plan.remove.begin(), plan.remove.end(),
                                   [](const Doomed& each) { return each.life == Life::kRebooted; });
  if (plan.live != 0 || plan.choice.no_pods || certain) return {};
  return Error::make(Code::kTryAgain, "no pod is alive: is the runtime down?").hint("--no-pods confirms it");
}

}  // namespace

Result<GcPlan> plan_gc(const World& world, const GcChoice& choice, const LookAtFile& look) {
  CNIO_TRY(require_sight(world));
  CNIO_TRY(require_runtimes_paths(world));
  GcPlan plan{.host = world.host, .choice = choice, .remove = {}};
  for (const Attached& each : world.attached) {
    const Verdict judged = decide(each, choice, look);
    if (judged.life == Life::kLive) ++plan.live;  // of whatever network: it says that pods can be seen
    if (!is_chosen(choice, each.who.network)) continue;
    if (judged.life == Life::kUnknown) ++plan.unknown;
    if (is_stale(judged.life)) {
      plan.remove.push_back({each.who, each.pod, judged.life, judged.reason, objects_of(each, look)});
    }
  }
  plan.foreign = static_cast<size_t>(std::count_if(world.foreign.begin(), world.foreign.end(),
                                                   [&](const auto& each) { return is_chosen(choice, each.network); }));
  CNIO_TRY(require_life(plan));
  return plan;
}

Status check_plan(const GcPlan& plan, const GcPlan& now) {
  const auto changed = [](const std::string& what) {
    return Error::make(Code::kTryAgain, "the plan is out of date: " + what).hint("make another: gc --dry-run");
  };
  if (plan.host != now.host) return changed("it was made for another host");
  std::map<RuleOwner, const Doomed*> present;
  for (const Doomed& each : now.remove) present.emplace(each.who, &each);
  for (const Doomed& each : plan.remove) {
    const auto found = present.find(each.who);
    if (found == present.end()) return changed(each.who.text() + " is gone, or is alive by now");
    if (found->second->objects != each.objects) return changed(each.who.text() + " has changed since");
  }
  return {};
}

namespace {

size_t count_of(const GcPlan& plan, std::string_view kind) {
  size_t count = 0;
  for (const Doomed& each : plan.remove) {
    count += static_cast<size_t>(std::count_if(each.objects.begin(), each.objects.end(),
                                               [&](const DoomedObject& object) { return object.kind == kind; }));
  }
  return count;
}

std::string count_text(size_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string objects_text(const Doomed& doomed) {
  std::string text;
  for (const DoomedObject& each : doomed.objects) {
    const bool silent = each.kind == "cache" || each.kind == "record";  // what they are called says nothing
    text += (text.empty() ? "" : ", ") + each.kind + (silent ? "" : " " + each.name);
  }
  return text;
}

}  // namespace

std::string plan_text(const GcPlan& plan) {
  std::string text = "would remove " + count_text(plan.remove.size(), "attachment", "attachments") + " with " +
                     count_text(count_of(plan, "address"), "address", "addresses") + "; " + std::to_string(plan.live) +
                     " alive, " + std::to_string(plan.unknown) + " unknown and " +
                     count_text(plan.foreign, "foreign file stays", "foreign files stay") + "\n";
  for (const Doomed& each : plan.remove) {
    text += "  " + one_line(each.name()) + "  " + std::string(to_string(each.life)) + ": " + one_line(each.reason) +
            "\n    " + one_line(objects_text(each)) + "\n";
  }
  return text;
}

}  // namespace cnio::cnioctl
