// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/lint/fleet.hpp"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"

#include "cnioctl/lint/likeness.hpp"
#include "cnioctl/lint/seen.hpp"
#include "cnioctl/or_default.hpp"
#include "cnioctl/sort_stably.hpp"
#include "cnioctl/world/cache.hpp"
#include "cnioctl/world/pools.hpp"
#include "cnioctl/world/setup.hpp"

namespace cnio::cnioctl {
namespace {

using ipam::Range;
using protocol::Fields;
using protocol::Json;

constexpr char kNoFiles[] = "no-files";

// The file that a node's runtime takes of its folder.
void add_node(const std::string& folder, const std::string& node, std::vector<SeenFile>& out, Report& report) {
  std::vector<SeenFile> files = list_folder(folder, report);
  std::sort(files.begin(), files.end(), by_name);
  for (SeenFile& file : files) {
    file.name = node + "/" + file.name;
    read(file, report);
    if (!file.ignored()) return out.push_back(std::move(file));
  }
  report.add({Level::kError, folder, "there is no network's file in it", kNoFiles});
}

std::vector<SeenFile> files_of(const std::string& folder, Report& report) {
  std::vector<SeenFile> out;
  for (const std::string& name : names_in(folder, report)) {
    const std::string path = folder + "/" + name;
    std::error_code ignored;
    if (name.starts_with('.')) continue;
    if (std::filesystem::is_directory(path, ignored)) {
      add_node(path, name, out, report);
    } else if (is_network_file_name(name)) {
      SeenFile file{path, name};
      read(file, report);
      if (!file.ignored()) out.push_back(std::move(file));
    }
  }
  return out;
}

// A range of host-local's, and whose it is.
struct Share {
  Range range;
  const SeenFile* file;
};

void add_shares(const SeenFile& file, std::vector<Share>& out) {
  for (const Json& config : or_default(plugin_configs(file.text))) {
    const auto ipam = Fields(config).object("ipam");
    if (!ipam.ok() || or_default(ipam.value().text("type")) != "host-local") continue;
    for (const ipam::RangeSet& set : or_default(pools_of(config))) {
      for (const Range& range : set.ranges()) out.push_back({range, &file});
    }
  }
}

// Nodes may share a subnet, if each has a part of its own. Of those that come before one in order, the one that reaches
// farthest is named: else it would be all pairs of five hundred.
void compare_shares(const std::vector<SeenFile>& files, Report& report) {
  std::vector<Share> shares;
  for (const SeenFile& file : files) add_shares(file, shares);
  sort_stably(shares, [](const Share& a, const Share& b) { return a.range.first < b.range.first; });
  const Share* farthest = nullptr;
  for (const Share& each : shares) {
    if (farthest != nullptr && farthest->file != each.file && farthest->range.overlaps(each.range)) {
      report.add({Level::kError, each.file->path,
                  each.range.to_string() + " has addresses of " + farthest->range.to_string() + " of " +
                      farthest->file->name + ": both nodes would give them",
                  "same-subnet"});
    }
    if (farthest == nullptr || farthest->range.last < each.range.last) farthest = &each;
  }
}

std::vector<Cidr> cidrs_in(const Fields& fields, std::string_view key) {
  std::vector<Cidr> out;
  for (const std::string& text : or_default(fields.texts(key))) {
    const auto cidr = Cidr::parse(text);
    if (cidr) out.push_back(*cidr);
  }
  return out;
}

bool has_all_of(const Cidr& network, const Cidr& subnet) {
  return network.prefix <= subnet.prefix && network.contains(subnet.addr);
}

// What a node's pods are masqueraded towards.
struct Masquerade {
  std::vector<Cidr> exclude;
  std::vector<Cidr> only;

  // Whoever says neither wants all of it.
  [[nodiscard]] bool chooses() const { return !exclude.empty() || !only.empty(); }
  [[nodiscard]] bool reaches(const Cidr& subnet) const {
    const auto excluded = [&](const Cidr& each) { return has_all_of(each, subnet); };
    const auto chosen = [&](const Cidr& each) { return each.overlaps(subnet); };
    return std::none_of(exclude.begin(), exclude.end(), excluded) &&
           (only.empty() || std::any_of(only.begin(), only.end(), chosen));
  }
};

Masquerade masquerade_of(const SeenFile& file) {
  const auto configs = plugin_configs(file.text);
  if (!configs.ok() || configs.value().empty()) return {};
  const Fields fields(configs.value().front());
  if (!or_default(fields.boolean("ipMasq"))) return {};
  return {cidrs_in(fields, "ipMasqExclude"), cidrs_in(fields, "ipMasqOnly")};
}

class Masquerading {
 public:
  Masquerading(const std::vector<SeenFile>& files, Report& report) : files_(files), report_(report) {
    for (const SeenFile& file : files) rules_.push_back(masquerade_of(file));
  }

  // A subnet that most leave out is the odd one; else they are who leave it out.
  void compare() {
    std::vector<std::vector<std::string>> left_out(files_.size());
    for (size_t i = 0; i < files_.size(); ++i) {
      for (const Cidr& subnet : files_[i].network->subnets) {
        const auto by = who_masquerades(i, subnet);
        if (by.first.empty()) continue;
        if (2 * by.first.size() > by.second) {
          say_odd(files_[i], subnet, by.first);
          continue;
        }
        for (const size_t other : by.first) left_out[other].push_back(subnet.to_string() + " of " + files_[i].name);
      }
    }
    for (size_t i = 0; i < files_.size(); ++i) {
      if (!left_out[i].empty()) say(files_[i], "ipMasqExclude leaves out " + list_names(left_out[i]));
    }
  }

 private:
  // Of so many that say something.
  [[nodiscard]] std::pair<std::vector<size_t>, size_t> who_masquerades(size_t whose, const Cidr& subnet) const {
    std::pair<std::vector<size_t>, size_t> out;
    for (size_t i = 0; i < files_.size(); ++i) {
      if (i == whose || !rules_[i].chooses()) continue;
      ++out.second;
      if (rules_[i].reaches(subnet)) out.first.push_back(i);
    }
    return out;
  }

  void say_odd(const SeenFile& file, const Cidr& subnet, const std::vector<size_t>& by) {
    std::vector<std::string> names;
    for (const size_t each : by) names.push_back(files_[each].name);
    say(file, subnet.to_string() + " lies outside of ipMasqExclude of " + list_names(names));
  }

  void say(const SeenFile& file, const std::string& what) {
    report_.add(
        {Level::kWarning, file.path, what + ": what pods send there carries their node's address", "not-excluded"});
  }

  const std::vector<SeenFile>& files_;
  Report& report_;
  std::vector<Masquerade> rules_;
};

}  // namespace

void lint_fleet(const std::string& folder, bool inside, Report& report) {
  std::vector<SeenFile> files = files_of(folder, report);
  for (const SeenFile& file : files) {
    check_placeholder(file, report);
    if (inside) look_inside(file, report);
  }
  std::erase_if(files, [](const SeenFile& file) { return !file.network; });  // that has been said
  if (files.empty()) {
    return report.add({Level::kError, folder, "has no file of a network: one for each node is expected", kNoFiles});
  }
  if (files.size() == 1) {
    report.add(
        {Level::kNote, folder, files.front().name + " is the only one: there is nothing to compare it with", kNoFiles});
  }
  compare_shares(files, report);
  Masquerading(files, report).compare();
  compare_sayings(folder, files, report);
}

}  // namespace cnio::cnioctl
