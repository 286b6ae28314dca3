// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/lint.hpp"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <optional>

#include "cnio/base/list_files.hpp"
#include "cnio/base/unique_fd.hpp"

#include "cnioctl/inside/inside.hpp"
#include "cnioctl/network_file.hpp"

namespace cnio::cnioctl {
namespace {

constexpr size_t kMaxFile = 1 << 20;

// One file of a folder.
struct Seen {
  std::string path;
  std::string name;  // without the folder
  std::string text = {};
  std::optional<NetworkFile> network = {};  // nothing: it could not be read, or is no JSON

  [[nodiscard]] bool ignored() const { return network && network->only_loopback(); }
};

// Runtimes pass over folders, not over links to them.
bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::symlink_status(path, ignored).type() == std::filesystem::file_type::directory;
}

std::string name_of(const std::string& path) { return std::filesystem::path(path).filename(); }

void read(Seen& file, Report& report) {
  auto text = read_file(file.path, kMaxFile);
  if (!text.ok()) return report.blind(file.path, text.error());
  file.text = std::move(text).value();
  auto network = parse_network_file(file.text);
  if (network.ok()) {
    file.network = std::move(network).value();
  } else {
    report.add({Level::kWarning, file.path, network.error().msg(), "not-json"});
  }
}

std::vector<Seen> list_folder(const std::string& path, Report& report) {
  std::vector<Seen> files;
  const auto fd = open_file(path, O_RDONLY | O_DIRECTORY);
  const Status listed = !fd.ok() ? Status(fd.error()) : list_files(fd.value().get(), path, [&](const FileName& file) {
    const std::string at = path + "/" + file.name;
    if (is_network_file_name(file.name) && (file.may_be_regular || !is_folder(at))) files.push_back({at, file.name});
  });
  if (!listed.ok() && listed.error().errnum() != ENOENT) report.blind(path, listed.error());
  return files;
}

void check_placeholder(const Seen& file, Report& report) {
  const std::string found = find_placeholder(file.text);
  if (!found.empty()) report.add({Level::kError, file.path, found + " was not filled in", "placeholder"});
}

void check_order(const Seen& file, const Seen& used, bool is_meant, Report& report) {
  if (file.ignored() || file.name == used.name) return;
  if (file.name < used.name) {
    report.add({Level::kError, file.path,
                "comes before " + used.name + " by its name, so runtimes take it in place of that", "wins"});
  } else {
    report.add({is_meant ? Level::kNote : Level::kWarning, file.path,
                "is never used by containerd and CRI-O: " + used.name + " comes first", "shadowed"});
  }
}

std::string network_text(const Seen& file) { return "network " + quote(file.network->name) + " (" + file.name + ")"; }

void check_subnets(const Seen& file, const Seen& other, Report& report) {
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

void check_bridges(const Seen& file, const Seen& other, Report& report) {
  for (const std::string& bridge : file.network->bridges) {
    const auto& taken = other.network->bridges;
    if (std::find(taken.begin(), taken.end(), bridge) == taken.end()) continue;
    report.add({Level::kWarning, file.path, "is for the bridge " + bridge + ", as " + network_text(other) + " is",
                "same-bridge"});
  }
}

// Networks of one name have one store, which gives no address twice.
void compare(const Seen& file, const Seen& other, Report& report) {
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
void check_folder(const std::vector<Seen>& files, const Seen& used, bool is_meant, Report& report) {
  for (const Seen& file : files) {
    check_placeholder(file, report);
    check_order(file, used, is_meant, report);
    for (const Seen& other : files) {
      if (is_meant ? &other == &used && &file != &used : other.name < file.name) compare(file, other, report);
    }
  }
}

// As libcni orders them.
bool by_name(const Seen& a, const Seen& b) { return a.name < b.name; }

// What nobody has filled in is no value.
void look_inside(const Seen& file, Report& report) {
  if (file.network && find_placeholder(file.text).empty()) lint_inside(file.path, file.text, report);
}

void lint_folder(const std::string& path, const LintOptions& options, Report& report) {
  const std::string& with = options.with;
  const std::string meant = name_of(with);
  std::vector<Seen> files = list_folder(path, report);
  std::erase_if(files, [&](const Seen& file) { return file.name == meant; });
  if (!with.empty()) files.push_back({with, meant});
  std::sort(files.begin(), files.end(), by_name);
  for (Seen& file : files) read(file, report);
  const auto used = std::find_if(files.begin(), files.end(),
                                 [&](const Seen& file) { return with.empty() ? !file.ignored() : file.name == meant; });
  if (used != files.end()) check_folder(files, *used, !with.empty(), report);
  // Who puts one there has made it, and the others have been there before.
  if (!options.inside || !with.empty()) return;
  for (const Seen& file : files) look_inside(file, report);
}

void lint_file(const std::string& path, const LintOptions& options, Report& report) {
  Seen file = {path, name_of(path)};
  read(file, report);
  check_placeholder(file, report);
  if (options.inside) look_inside(file, report);
}

}  // namespace

Report lint(const LintOptions& options) {
  Report report;
  for (const std::string& place : options.places) {
    std::error_code ignored;
    if (!options.with.empty() || std::filesystem::is_directory(place, ignored)) {
      lint_folder(place, options, report);
    } else {
      lint_file(place, options, report);
    }
  }
  return report;
}

}  // namespace cnio::cnioctl
