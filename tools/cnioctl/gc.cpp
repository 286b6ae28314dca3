// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/gc.hpp"

#include <algorithm>
#include <ctime>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cnio/base/error_list.hpp"
#include "cnio/base/whole_file.hpp"

#include "cnioctl/input.hpp"
#include "cnioctl/plugin_call.hpp"
#include "cnioctl/progress.hpp"
#include "cnioctl/remembered.hpp"
#include "cnioctl/texts.hpp"
#include "cnioctl/world/cache.hpp"

namespace cnio::cnioctl {
namespace {

// An ADD that a plan has met in its first steps, before its cable stood, shows it by then.
constexpr int64_t kSettlingSeconds = 2;
// How many attachments go upon one look: between that and the last DEL are some hundredths of a second.
constexpr size_t kAtOnce = 8;

int64_t seconds_now() { return static_cast<int64_t>(time(nullptr)); }

Result<GcChoice> choice_of(const GcOptions& options) {
  GcChoice choice = options.choice;
  CNIO_LET(choice.valid, call_witness(options.witness, protocol::Environment::of_process()));
  return choice;
}

Result<GcPlan> make_plan(World& world, const GcChoice& choice) {
  for (Attached& each : world.attached) {
    if (each.life() != Life::kLive) name_pod(each);
  }
  CNIO_LET(GcPlan plan, plan_gc(world, choice, look_at_file));
  plan.made = seconds_now();
  return plan;
}

Status keep_plan(const std::string& file, const std::string& text) {
  CNIO_TRY(put_whole_file(file, file + ".new", text));
  return {};
}

}  // namespace

Outcome gc_plan(const GcOptions& options) {
  const auto choice = choice_of(options);
  if (!choice.ok()) return failure(choice.error(), Exit::kBlind);
  World world = look_at_world(options.stores);
  const auto plan = make_plan(world, choice.value());
  if (!plan.ok()) return failure(plan.error(), Exit::kBlind);
  const std::string file = format_plan(plan.value());
  if (!options.output.empty()) {
    const Status kept = keep_plan(options.output, file);
    if (!kept.ok()) return failure(kept.error(), Exit::kBlind);
  }
  Outcome out{plan.value().remove.empty() ? Exit::kWell : Exit::kFound};
  if (out.exit == Exit::kWell && world.blind.exit() == Exit::kBlind) out.exit = Exit::kBlind;
  out.err = world.blind.text();
  if (options.json) {
    out.out = file;
    return out;
  }
  out.out = plan_text(plan.value());
  if (!plan.value().remove.empty()) {
    const std::string where =
        options.output.empty() ? "-o plan.json, then --apply plan.json" : "--apply " + options.output;
    out.out += "apply: cnioctl gc " + one_line(where) + "\n";
  }
  return out;
}

namespace {

// Those that may have come later in its list, and have been there to be called. Whoever has nothing of theirs loses
// nothing by a DEL.
void add_followers(const Plugins& plugins, Remembered& out) {
  for (const std::string& type : split_at(CNIO_CHAINED_PLUGINS, ' ')) {
    if (!find_executable(plugins.folders, type).empty()) out.plugins.push_back({{"type", type}});
  }
}

// By libcni's cache, or our record, or by what it has: something can always be called.
Remembered remember(const Plugins& plugins, const Attached& attached, const std::string& data_dir) {
  if (!attached.cache_file.empty()) {
    const auto cached = Cache::read_path(attached.cache_file);
    auto known = cached.ok() ? from_cache(cached.value()) : Result<Remembered>(cached.error());
    if (known.ok()) return std::move(known).value();
  }
  for (auto pair = attached.pairs.rbegin(); pair != attached.pairs.rend(); ++pair) {
    auto known = from_record(*pair, {});
    if (!known.ok()) continue;
    add_followers(plugins, known.value());
    return std::move(known).value();
  }
  Remembered out = from_nothing(attached.who, data_dir);
  add_followers(plugins, out);
  return out;
}

// Goes on past failures, as DEL does inside of a plugin.
Status call_all(const Plugins& plugins, Remembered of) {
  of.netns.clear();  // it is gone: what has its name by now is another's
  if (of.who.attachment.ifname.empty()) of.who.attachment.ifname = "eth0";  // the store's old format names none
  ErrorList errors;
  for (size_t left = of.plugins.size(); left != 0; --left) {
    auto call = PluginCall::start(plugins, of, left - 1, "DEL");
    if (!call.ok()) errors.collect(call.error());
    if (!call.ok()) continue;
    const auto answer = call.value().finish();
    if (!answer.ok()) errors.collect(answer.error());
  }
  return errors.status();
}

Status remove(const Plugins& plugins, const Attached& attached, const std::string& data_dir) {
  CNIO_TRY(call_all(plugins, remember(plugins, attached, data_dir)));
  return attached.cache_file.empty() ? Status() : remove_file(attached.cache_file);
}

struct Collection {
  Progress progress;
  size_t removed = 0;
  Report report = {};
};

Finding left_alone(const Doomed& doomed, const Error& error) {
  return {Level::kError, doomed.name(), "not removed: " + error.msg(), "not-removed"};
}

// What the plan says from `begin` on, if it is still so.
Status collect_some(const GcOptions& options, const Plugins& plugins, const GcPlan& plan, size_t begin,
                    Collection& out) {
  GcPlan part = plan;
  part.remove.erase(part.remove.begin(), part.remove.begin() + static_cast<ptrdiff_t>(begin));
  part.remove.resize(std::min(part.remove.size(), kAtOnce));
  const World world = look_at_world(options.stores);
  CNIO_LET(const GcPlan now, plan_gc(world, plan.choice, look_at_file));
  for (const Doomed& each : part.remove) {
    GcPlan one = part;
    one.remove = {each};
    Status done = check_plan(one, now);
    if (done.ok()) done = remove(plugins, *world.find(each.who), options.stores.data_dir);
    out.progress.step();
    if (done.ok()) ++out.removed;
    if (!done.ok()) out.report.add(left_alone(each, done.error()));
  }
  return {};
}

// Is anything of it there still?
void look_after(const GcOptions& options, const GcPlan& plan, Report& report) {
  const World world = look_at_world(options.stores);
  for (const Doomed& each : plan.remove) {
    const Attached* rest = world.find(each.who);
    if (rest == nullptr || rest->life() == Life::kLive) continue;
    report.add({Level::kError, each.name(), "something of it is left; see gc --dry-run", "left"});
  }
}

Result<GcPlan> read_plan(const GcOptions& options) {
  CNIO_LET(const std::string text, read_input(options.apply));
  return parse_plan(text);
}

Status check_again(const GcOptions& options, const GcPlan& plan) {
  const int64_t age = seconds_now() - plan.made;
  if (age >= 0 && age < kSettlingSeconds) (void)sleep(static_cast<unsigned>(kSettlingSeconds - age));
  const World world = look_at_world(options.stores);
  CNIO_LET(const GcPlan now, plan_gc(world, plan.choice, look_at_file));
  return check_plan(plan, now);
}

}  // namespace

Outcome gc_apply(const GcOptions& options, const protocol::Environment& environment) {
  const auto plan = read_plan(options);
  if (!plan.ok()) return failure(plan.error(), Exit::kUsage);
  if (const Status same = check_again(options, plan.value()); !same.ok()) return failure(same.error(), Exit::kStale);
  const Plugins plugins{options.plugins, environment};
  Collection done{{"gc", plan.value().remove.size()}};
  for (size_t begin = 0; begin < plan.value().remove.size(); begin += kAtOnce) {
    const Status went = collect_some(options, plugins, plan.value(), begin, done);
    if (went.ok()) continue;
    done.report.add({Level::kError, "gc", went.error().msg() + "; the rest of the plan is left alone", "not-removed"});
    break;
  }
  look_after(options, plan.value(), done.report);
  const Exit exit = done.report.exit();
  done.report.add(
      {exit == Exit::kWell ? Level::kOk : Level::kError, "gc",
       std::to_string(done.removed) + " of " + std::to_string(plan.value().remove.size()) + " attachments removed",
       exit == Exit::kWell ? "" : "not-removed"});
  return outcome_of(done.report, options.json);
}

}  // namespace cnio::cnioctl
