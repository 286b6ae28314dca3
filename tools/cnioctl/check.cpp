// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/check.hpp"

#include <algorithm>

#include "cnioctl/ping/ping.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/progress.hpp"
#include "cnioctl/world/cache.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

bool is_wanted(const Attached& attached, const std::vector<std::string>& wanted) {
  const protocol::Attachment& id = attached.who.attachment;
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& each) {
    return each == attached.pod || attached.pod.ends_with("/" + each) || each == id.container_id || each == id.text();
  });
}

// Those that nobody has must not look as if they were well.
void name_missing(const World& world, const std::vector<std::string>& wanted, Report& report) {
  for (const std::string& each : wanted) {
    const bool there = std::any_of(world.attached.begin(), world.attached.end(),
                                   [&](const Attached& attached) { return is_wanted(attached, {each}); });
    if (!there) report.add({Level::kError, each, "there is no such pod", "no-pod"});
  }
}

// CHECK came with 0.4.0.
bool has_check(const std::string& version) {
  const auto parsed = protocol::parse_version(version);
  return parsed && *parsed >= protocol::SpecVersion::k040;
}

Status call_plugins(const Plugins& plugins, const Remembered& of) {
  for (size_t i = 0; i < of.plugins.size(); ++i) {
    CNIO_LET(PluginCall call, PluginCall::start(plugins, of, i, "CHECK"));
    CNIO_TRY(call.finish());
  }
  return {};
}

// Each plugin compares with what the last one has reported, as the specification wants it.
void check_by_plugins(const Attached& attached, const Plugins& plugins, const std::string& where, Report& report) {
  if (attached.cache_file.empty()) {
    return report.add(
        {Level::kNote, where, "libcni's cache has nothing of it: its plugins cannot be asked", "no-check"});
  }
  const auto cached = Cache::read_path(attached.cache_file);
  auto of = cached.ok() ? from_cache(cached.value()) : Result<Remembered>(cached.error());
  if (!of.ok()) return report.blind(where, of.error());
  if (!has_check(of.value().version)) {
    return report.add({Level::kNote, where, "cniVersion " + quote(of.value().version) + " has no CHECK", "no-check"});
  }
  const Status called = call_plugins(plugins, of.value());
  if (called.ok()) return;
  if (called.error().code() == Code::kDelegate) return report.blind(where, called.error());
  report.add({Level::kError, where, called.error().msg(), "check"});
}

void check_one(const Attached& attached, const Facts& facts, const Plugins& plugins, Report& report) {
  const std::string where = attached.name() + " (" + attached.who.text() + ")";
  if (is_stale(attached.life())) return report.add({Level::kError, where, attached.verdict.reason, "stale"});
  check_by_plugins(attached, plugins, where, report);
  for (const Problem& each : problems_of(attached, facts)) report.add({Level::kError, where, each.what, each.kind});
}

void ping_live(std::vector<const Attached*> pods, Report& report) {
  std::erase_if(pods, [](const Attached* each) { return each->life() != Life::kLive; });
  ping(pods, report);
}

// What concerns all of them.
void check_node(const Facts& facts, Report& report) {
  for (const Problem& each : find_problems(facts)) {
    const bool of_node = each.where == "node" || each.kind == "no-route" || each.kind.starts_with("duplicate-");
    if (of_node) report.add({Level::kError, each.where, each.what, each.kind});
  }
}

}  // namespace

Outcome check(Facts& facts, const Plugins& plugins, const CheckOptions& options, bool json) {
  const std::vector<std::string>& wanted = options.pods;
  name_pods(facts.world);
  Report report = facts.world.blind;
  name_missing(facts.world, wanted, report);
  std::vector<const Attached*> checked;
  Progress progress("check", facts.world.attached.size());
  for (const Attached& each : facts.world.attached) {
    progress.step();
    if (wanted.empty() ? is_stale(each.life()) : !is_wanted(each, wanted)) continue;
    checked.push_back(&each);
    check_one(each, facts, plugins, report);
  }
  if (options.ping) ping_live(checked, report);
  check_node(facts, report);
  if (report.exit() == Exit::kWell)
    report.add({Level::kOk, "check", counted(checked.size(), "interface") + " of pods", ""});
  return outcome_of(report, json);
}

}  // namespace cnio::cnioctl
