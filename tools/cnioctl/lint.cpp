// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/lint.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "cnioctl/lint/fleet.hpp"
#include "cnioctl/lint/here.hpp"
#include "cnioctl/lint/seen.hpp"

namespace cnio::cnioctl {
namespace {

constexpr char kDefaultBin[] = "/opt/cni/bin";

void check_order(const SeenFile& file, const SeenFile& used, bool is_meant, Report& report) {
  if (file.ignored() || file.name == used.name) return;
  if (file.name < used.name) {
    report.add({Level::kError, file.path,
                "comes before " + used.name + " by its name, so runtimes take it in place of that", "wins"});
  } else {
    report.add({is_meant ? Level::kNote : Level::kWarning, file.path,
                "is never used by containerd and CRI-O: " + used.name + " comes first", "shadowed"});
  }
}

std::string network_text(const SeenFile& file) {
  return "network " + quote(file.network->name) + " (" + file.name + ")";
}

void check_subnets(const SeenFile& file, const SeenFile& other, Report& report) {
  for (const Cidr& own : file.network->subnets) {
    for (const Cidr& subnet : other.network->subnets) {
      if (!own.overlaps(subnet)) continue;
      report.add({Level::kError, file.path,
                  own.to_string() + " has addresses of " + subnet.to_string() + " of " + network_text(other) +
                      ": both would give them",
                  "same-subnet"});
    }
  }
}

void check_bridges(const SeenFile& file, const SeenFile& other, Report& report) {
  for (const std::string& bridge : file.network->bridges) {
    const auto& taken = other.network->bridges;
    if (std::find(taken.begin(), taken.end(), bridge) == taken.end()) continue;
    report.add({Level::kWarning, file.path, "is for the bridge " + bridge + ", as " + network_text(other) + " is",
                "same-bridge"});
  }
}

// Networks of one name have one store, which gives no address twice.
void compare(const SeenFile& file, const SeenFile& other, Report& report) {
  if (!file.network || !other.network) return;
  if (file.network->name != other.network->name) {
    check_subnets(file, other, report);
    check_bridges(file, other, report);
  } else if (!file.ignored() && !other.ignored()) {
    report.add({Level::kWarning, file.path,
                "is of the network " + quote(file.network->name) + ", as " + other.name +
                    " is: for plugins they are one, so GC of either takes what the other's pods have",
                "same-name"});
  }
}

// `used` is the one that comes first; the others are compared with those before them. Or it is the one that is meant to
// be used, and they are compared with that one.
void check_folder(const std::vector<SeenFile>& files, const SeenFile& used, bool is_meant, Report& report) {
  for (const SeenFile& file : files) {
    check_placeholder(file, report);
    check_order(file, used, is_meant, report);
    for (const SeenFile& other : files) {
      if (is_meant ? &other == &used && &file != &used : other.name < file.name) compare(file, other, report);
    }
  }
}

// What a node is asked of the files, if it is asked.
class ThisNode {
 public:
  ThisNode(const LintOptions& options, Report& report) : bin_(options.bin), report_(report) {
    if (options.here) ground_ = Ground::look(report);
    if (options.here && bin_.empty()) bin_ = kDefaultBin;
  }
  void look(const SeenFile& file) {
    if (ground_) ground_->compare(file, report_);
    if (!bin_.empty() && file.network) check_plugins(file, bin_, report_);
  }

 private:
  std::optional<Ground> ground_;
  std::string bin_;  // empty: plugins are not looked for
  Report& report_;
};

void lint_folder(const std::string& path, const LintOptions& options, ThisNode& node, Report& report) {
  const std::string& with = options.with;
  const std::string meant = name_of(with);
  std::vector<SeenFile> files = list_folder(path, report);
  std::erase_if(files, [&](const SeenFile& file) { return file.name == meant; });
  if (!with.empty()) files.push_back({with, meant});
  std::sort(files.begin(), files.end(), by_name);
  for (SeenFile& file : files) read(file, report);
  const auto is_used = [&](const SeenFile& file) { return with.empty() ? !file.ignored() : file.name == meant; };
  const auto used = std::find_if(files.begin(), files.end(), is_used);
  if (used != files.end()) check_folder(files, *used, !with.empty(), report);
  // Who puts one there has made it, and the others have been there before.
  for (const SeenFile& file : files) {
    if (options.inside && with.empty()) look_inside(file, report);
    if (with.empty() || &file == &*used) node.look(file);
  }
}

void lint_file(const std::string& path, const LintOptions& options, ThisNode& node, Report& report) {
  SeenFile file = {path, name_of(path)};
  read(file, report);
  check_placeholder(file, report);
  if (options.inside) look_inside(file, report);
  node.look(file);
}

bool has_warning(const Report& report) {
  const auto& all = report.findings();
  return std::any_of(all.begin(), all.end(), [](const Finding& each) { return each.level == Level::kWarning; });
}

}  // namespace

Report lint(const LintOptions& options) {
  Report report;
  ThisNode node(options, report);
  for (const std::string& place : options.places) {
    std::error_code ignored;
    if (options.fleet) {
      lint_fleet(place, options.inside, report);
    } else if (!options.with.empty() || std::filesystem::is_directory(place, ignored)) {
      lint_folder(place, options, node, report);
    } else {
      lint_file(place, options, node, report);
    }
  }
  return report;
}

Outcome run_lint(const LintOptions& options, bool json) {
  if (options.fleet && (options.here || !options.with.empty() || !options.bin.empty())) {
    return failure(Error::make(Code::kInvalidConfig, "--fleet is about other nodes: not with --here, --bin and --with"),
                   Exit::kUsage);
  }
  const Report report = lint(options);
  Outcome out = outcome_of(report, json);
  if (options.strict && out.exit == Exit::kWell && has_warning(report)) out.exit = Exit::kFound;
  return out;
}

}  // namespace cnio::cnioctl
