// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/resync.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "cnioctl/plugin_call.hpp"
#include "cnioctl/progress.hpp"
#include "cnioctl/recollection.hpp"
#include "cnioctl/sandboxes.hpp"
#include "cnioctl/world/world.hpp"

namespace cnio::cnioctl {
namespace {

constexpr size_t kShownPods = 20;  // people read no more
// Of calls for each processor: while the oldest is waited for, the others go on.
constexpr size_t kEach = 2;
// To start a process takes as long as to repair an attachment; more than so many save next to nothing.
constexpr size_t kMostTogether = 32;

// What came of one attachment, plugin by plugin.
struct Mended {
  Remembered of;
  std::vector<std::string> made = {};       // what was missing, and is there again
  std::vector<Error> lost = {};             // what is missing still
  std::vector<std::string> strangers = {};  // plugins that mend nothing

  [[nodiscard]] bool well() const { return made.empty() && lost.empty() && strangers.empty(); }
};

bool is_wanted(const ResyncOptions& options, const Wanted& wanted, const Attached& attached) {
  const auto& names = options.networks;
  const bool named = names.empty() || std::find(names.begin(), names.end(), attached.who.network) != names.end();
  return named && attached.life() == Life::kLive && wanted(attached);
}

void say_lost(Report& report, const std::string& where, const std::string& why, const char* kind) {
  report.add({Level::kWarning, where, why, kind});
}

std::vector<Mended> remember_all(const ResyncOptions& options, const World& world, const Wanted& wanted,
                                 Report& report) {
  const bool searched = std::any_of(world.attached.begin(), world.attached.end(), [&](const Attached& each) {
    return is_wanted(options, wanted, each) && each.evidence.present != true;
  });
  const auto sandboxes = searched ? find_sandboxes(report) : std::map<int, std::string>();
  std::vector<Mended> out;
  for (const Attached& each : world.attached) {
    if (!is_wanted(options, wanted, each)) continue;
    auto remembered = remember_live(each, sandboxes);
    if (remembered.ok()) {
      out.push_back({std::move(remembered).value()});
      continue;
    }
    report.blind(each.who.text(), Error::make(Code::kIo, "is left as it is: " + remembered.error().msg()));
  }
  return out;
}

// "repaired" of the answer.
std::string repaired_in(const std::string& answer) {
  const auto parsed = protocol::parse_json(answer);
  if (!parsed.ok() || !parsed.value().is_object()) return {};
  return parsed.value().value("repaired", "");
}

// An unknown command: what the reference, and all that is made with its library, answer; ours of before, too.
bool is_stranger(const Error& error) {
  return error.code() == Code::kInvalidEnvironment && error.msg().find("CNI_COMMAND") != std::string::npos;
}

class Crew {
 public:
  Crew(const ResyncOptions& options, const protocol::Environment& environment, size_t calls)
      : progress_("resync: calls of plugins", calls),
        plugins_{options.plugins, environment},
        command_(options.dry_run ? "CHECK" : std::string(protocol::kRepairCommand)),
        size_(kEach * std::max<size_t>(2, std::thread::hardware_concurrency())) {}

  // The plugins of this number of all lists: what follows in a list needs what came before. Of those whose result is
  // known first, which tells the MAC address of a bridge that has to be made.
  void work(std::vector<Mended>& all, size_t number) {
    for (const bool whole : {true, false}) work(all, number, whole);
  }

 private:
  using Batch = std::vector<Mended*>;
  struct Job {
    Mended* of;
    PluginCall call;
  };
  struct SharedJob {
    Batch of;
    RepairCall call;
  };

  void work(std::vector<Mended>& all, size_t number, bool whole) {
    std::map<std::string, Batch> by_type;
    for (Mended& each : all) {
      if (number >= each.of.plugins.size() || each.of.whole != whole) continue;
      auto type = type_of(each.of, number);
      if (type.ok()) {
        by_type[type.value()].push_back(&each);
      } else {
        fail(each, std::move(type).error());
      }
    }
    for (const auto& [type, of] : by_type) {
      // One that does not know how to do it together does it one by one, or not at all.
      const Batch left = command_ == protocol::kRepairCommand ? work_together(type, of, number) : of;
      work_alone(left, number);
    }
  }

  // Returns those that the plugin cannot take in this way.
  Batch work_together(const std::string& type, const Batch& all, size_t number) {
    const size_t most = std::min((all.size() + size_ - 1) / size_, kMostTogether);
    std::deque<SharedJob> busy;
    Batch left;
    Batch batch;
    std::string lines;
    const auto start = [&] {
      if (batch.empty()) return;
      auto call = RepairCall::start(plugins_, type, std::exchange(lines, {}), batch.size());
      if (call.ok()) {
        busy.push_back({batch, std::move(call).value()});
      } else {
        for (Mended* each : batch) fail(*each, call.error());
      }
      batch.clear();
      if (busy.size() >= size_) settle(type, busy, left);
    };
    for (Mended* each : all) {
      if (!left.empty()) {
        left.push_back(each);
        continue;
      }
      const auto line = repair_line(each->of, number);
      if (!line.ok()) {
        fail(*each, line.error());
        continue;
      }
      const std::string text = line.value().format();
      if (batch.size() >= most || lines.size() + text.size() > protocol::kMaxStdin) start();
      batch.push_back(each);
      lines += text;
    }
    start();
    while (!busy.empty()) settle(type, busy, left);
    return left;
  }

  void settle(const std::string& type, std::deque<SharedJob>& busy, Batch& left) {
    SharedJob job = std::move(busy.front());
    busy.pop_front();
    auto answers = job.call.finish();
    if (answers.ok() && !answers.value()) {
      left.insert(left.end(), job.of.begin(), job.of.end());
      return;
    }
    for (size_t i = 0; i < job.of.size(); ++i) {
      take(type, *job.of[i], answers.ok() ? std::move((*answers.value())[i]) : Result<std::string>(answers.error()));
    }
  }

  void work_alone(const Batch& all, size_t number) {
    for (Mended* each : all) {
      auto call = PluginCall::start(plugins_, each->of, number, command_);
      if (call.ok()) {
        busy_.push_back({each, std::move(call).value()});
      } else {
        fail(*each, std::move(call).error());
      }
      if (busy_.size() >= size_) settle();
    }
    while (!busy_.empty()) settle();
  }

  void settle() {
    Job job = std::move(busy_.front());
    busy_.pop_front();
    auto answer = job.call.finish();
    take(job.call.type(), *job.of, std::move(answer));
  }

  void fail(Mended& of, Error error) {
    progress_.step();
    of.lost.push_back(std::move(error));
  }

  void take(const std::string& type, Mended& of, Result<std::string> answer) {
    if (!answer.ok() && is_stranger(answer.error())) {
      progress_.step();
      return of.strangers.push_back(type);
    }
    if (!answer.ok()) return fail(of, std::move(answer).error());
    progress_.step();
    std::string what = repaired_in(answer.value());
    const std::string name = type + ": ";
    if (!what.empty()) of.made.push_back(what.starts_with(name) ? std::move(what) : name + what);
  }

  Progress progress_;
  Plugins plugins_;
  std::string command_;
  size_t size_;
  std::deque<Job> busy_;
};

void say(const ResyncOptions& options, const Mended& each, Report& report) {
  const std::string where = each.of.text();
  for (const std::string& what : each.made) report.add({Level::kNote, where, "put back: " + what, "put-back"});
  for (const Error& error : each.lost) {
    report.add({Level::kError, where, (options.dry_run ? "missing: " : "not put back: ") + error.msg(),
                options.dry_run ? "missing" : "lost"});
  }
  for (const std::string& type : each.strangers) {
    say_lost(report, where, "the plugin " + quote(type) + " cannot mend what it has made", "no-repair");
  }
  if (!each.of.whole) {
    say_lost(report, where, "libcni's cache is missing: port maps and the like, if it has any, are not known", "part");
  }
}

std::string count(size_t number, const std::string& what) {
  return number == 0 ? std::string() : ", " + std::to_string(number) + " " + what;
}

Finding summary(const ResyncOptions& options, const std::vector<Mended>& all) {
  const auto number = [&](auto&& wanted) { return static_cast<size_t>(std::count_if(all.begin(), all.end(), wanted)); };
  const size_t lost = number([](const Mended& each) { return !each.lost.empty(); });
  const size_t made = number([](const Mended& each) { return !each.made.empty() && each.lost.empty(); });
  const size_t well = number([](const Mended& each) { return each.well(); });
  const std::string pods = std::to_string(all.size()) + (all.size() == 1 ? " interface" : " interfaces") + " of pods";
  return {lost == 0 ? Level::kOk : Level::kError, options.dry_run ? "resync --dry-run" : "resync",
          pods + count(well, "well") + count(made, "put back") +
              count(lost, options.dry_run ? "with something missing" : "not put back"),
          lost == 0 ? "" : (options.dry_run ? "missing" : "lost")};
}

// For people: not a line for each of a thousand pods.
Report shortened(const Report& report) {
  Report out;
  size_t shown = 0;
  size_t more = 0;
  for (const Finding& each : report.findings()) {
    const bool many =
        each.kind == "put-back" || each.kind == "well-again" || each.kind == "missing" || each.kind == "part";
    if (many && ++shown > kShownPods) {
      ++more;
      continue;
    }
    out.add(each);
  }
  if (more != 0) out.add({Level::kNote, "resync", std::to_string(more) + " more lines with --json", ""});
  return out;
}

}  // namespace

Mending mend(const World& world, const ResyncOptions& options, const protocol::Environment& environment,
             const Wanted& wanted, const Owners& given_up) {
  Report report = world.blind;
  std::vector<Mended> all = remember_all(options, world, wanted, report);
  size_t longest = 0;
  size_t calls = 0;
  for (const Mended& each : all) {
    longest = std::max(longest, each.of.plugins.size());
    calls += each.of.plugins.size();
  }
  Crew crew(options, environment, calls);
  for (size_t number = 0; number < longest; ++number) crew.work(all, number);
  for (const Mended& each : all) {
    say(options, each, report);
    if (each.well() && given_up.contains(each.of.who)) {
      report.add({Level::kNote, each.of.text(), "is well again", "well-again"});
    }
  }
  Mending out{options.json ? report : shortened(report)};
  out.report.add(summary(options, all));
  for (const Mended& each : all) {
    if (!each.lost.empty()) out.given_up.insert(each.of.who);
  }
  return out;
}

Outcome resync(const ResyncOptions& options, const protocol::Environment& environment) {
  const auto all = [](const Attached&) { return true; };
  return outcome_of(mend(look_at_world(options.stores), options, environment, all, {}).report, options.json);
}

}  // namespace cnio::cnioctl
