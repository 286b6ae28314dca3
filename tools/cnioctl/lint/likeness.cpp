// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/lint/likeness.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "cnio/protocol/json.hpp"

#include "cnioctl/inside/positions.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Fields;
using protocol::Json;

constexpr size_t kNamed = 3;
constexpr size_t kLongest = 60;  // bytes of a value that are shown
constexpr char kPlugins[] = "plugins";
constexpr char kObject[] = "{}";

std::string lowered(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool is_remark(const std::string& key) {
  return key.empty() || key[0] == '_' || key[0] == '#' || key.starts_with("//") ||
         lowered(key).find("comment") != std::string::npos;
}

// What stands for a node's own addresses, and is the same in all files.
std::string without_own(const std::string& text, const std::vector<Cidr>& own) {
  auto cidr = Cidr::parse(text);
  const auto address = IpAddr::parse(text);
  if (address) cidr = Cidr::host(*address);
  if (!cidr) return text;
  for (const Cidr& subnet : own) {
    if (!subnet.contains(cidr->addr) || cidr->prefix < subnet.prefix) continue;
    return address ? "an address of its own"
                   : std::string("/").append(std::to_string(cidr->prefix)).append(" of its own");
  }
  return text;
}

Json without_own(const Json& value, const std::vector<Cidr>& own) {
  if (value.is_string()) return without_own(value.get<std::string>(), own);
  Json out = value;
  if (out.is_structured()) {
    for (Json& each : out) each = without_own(each, own);
  }
  return out;
}

class Collector {
 public:
  explicit Collector(const std::vector<Cidr>& own) : own_(own) {}

  void add_file(const Json& whole) {
    const auto plugins = Fields(whole).objects(kPlugins);
    if (!plugins.ok() || !Fields(whole).has(kPlugins)) return add_single(whole);
    for (const auto& [key, value] : whole.items()) {
      if (lowered(key) != kPlugins) add({key, key, "", ""}, value);
    }
    const Json& list = *Fields(whole).find(kPlugins);
    for (size_t i = 0; i < list.size(); ++i) add_plugin(list[i], "plugins[" + std::to_string(i) + "].", {});
    finish();
  }

  Sayings out = {};

 private:
  // Where a value stands.
  struct At {
    std::string path;
    std::string key;     // "ipam.subnet", as it is written
    std::string plugin;  // its type; empty: of the list itself
    std::string before;  // what comes before the key in the file: "plugins[0]."
  };

  void add_single(const Json& whole) {
    for (const char* key : {"name", "cniVersion"}) {
      const Json* value = Fields(whole).find(key);
      if (value != nullptr) add({key, key, "", ""}, *value);
    }
    add_plugin(whole, "", {"name", "cniversion"});
    finish();
  }

  void add_plugin(const Json& plugin, const std::string& before, const std::set<std::string>& besides) {
    const auto known = Fields(plugin).text("type");
    const std::string type = known.ok() ? known.value() : std::string();
    types_.push_back(type);
    // A list may have two of one type.
    const auto number = std::count(types_.begin(), types_.end(), type);
    const std::string path = std::string(kPlugins).append("/").append(type).append(
        number > 1 ? std::string("#").append(std::to_string(number)) : "");
    out[lowered(path)] = {kObject, type, before, true};
    for (const auto& [key, value] : plugin.items()) {
      if (!besides.contains(lowered(key))) add({path + "/" + key, key, type, before}, value);
    }
  }

  void add(const At& at, const Json& value) {
    const size_t dot = at.key.find_last_of('.');
    if (value.is_null() || is_remark(dot == std::string::npos ? at.key : at.key.substr(dot + 1))) return;
    const std::string name = (at.plugin.empty() ? "" : at.plugin + ": ") + "key " + quote(at.key);
    const std::string text =
        value.is_object() ? kObject : protocol::compact_json(protocol::sorted(without_own(value, own_)));
    out[lowered(at.path)] = {text, name, at.before + at.key};
    if (!value.is_object()) return;
    for (const auto& [key, inner] : value.items()) {
      add({at.path + "/" + key, at.key + "." + key, at.plugin, at.before}, inner);
    }
  }

  // Which plugins there are, and in which order.
  void finish() { out[kPlugins] = {protocol::compact_json(Json(types_)), "the list of plugins", kPlugins}; }

  const std::vector<Cidr>& own_;
  std::vector<std::string> types_;
};

// The files' sayings about one key.
struct Question {
  std::string path;
  std::string name;
  bool silent = false;
  std::map<std::string, std::vector<size_t>> answers = {};  // value -> files; empty: those that have no such key

  [[nodiscard]] const std::pair<const std::string, std::vector<size_t>>& most() const {
    return *std::max_element(answers.begin(), answers.end(),
                             [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  }
};

std::string value_text(const std::string& value) {
  if (value.empty()) return "not there";
  return value.size() <= kLongest ? value : value.substr(0, kLongest) + "...";
}

class Comparison {
 public:
  Comparison(const std::string& folder, const std::vector<SeenFile>& files, Report& report)
      : folder_(folder), files_(files), report_(report) {
    for (const SeenFile& file : files) all_.push_back(sayings_of(file));
  }

  void run() {
    std::set<std::string> paths;
    for (const Sayings& each : all_) {
      for (const auto& [path, saying] : each) paths.insert(path);
    }
    for (const std::string& path : paths) compare(question_of(path));
  }

 private:
  Question question_of(const std::string& path) {
    Question out{path, {}};
    for (size_t i = 0; i < all_.size(); ++i) {
      const auto found = all_[i].find(path);
      const bool there = found != all_[i].end();
      if (there && out.name.empty()) out.name = found->second.name;
      if (there) out.silent = found->second.silent;
      // Whoever lacks the whole object has been named for that.
      if (there || has_parent(i, path)) out.answers[there ? found->second.value : ""].push_back(i);
    }
    return out;
  }

  [[nodiscard]] bool has_parent(size_t file, const std::string& path) const {
    const size_t end = path.find_last_of('/');
    return end == std::string::npos || all_[file].contains(path.substr(0, end));
  }

  void compare(const Question& question) {
    if (question.silent || question.answers.size() < 2) return;
    size_t count = 0;
    for (const auto& [value, files] : question.answers) count += files.size();
    const auto& [usual, those] = question.most();
    if (2 * those.size() <= count) return say_split(question);
    const std::string most = std::to_string(those.size()) + " of " + std::to_string(count) + " files";
    for (const auto& [value, files] : question.answers) {
      if (value == usual) continue;
      for (const size_t file : files)
        say(file, question, value_text(value) + ", but " + value_text(usual) + " in " + most);
    }
  }

  void say(size_t file, const Question& question, const std::string& what) {
    const auto saying = all_[file].find(question.path);
    std::string where = files_[file].path;
    if (saying != all_[file].end()) {
      where.append(":").append(std::to_string(Positions(files_[file].text).line_of(saying->second.place)));
    }
    report_.add({Level::kWarning, where, question.name + " is " + what, "differs"});
  }

  void say_split(const Question& question) {
    std::string text;
    for (const auto& [value, files] : question.answers) {
      std::vector<std::string> names;
      for (const size_t file : files) names.push_back(files_[file].name);
      text += (text.empty() ? "" : "; ") + value_text(value) + " in " + list_names(names);
    }
    report_.add({Level::kWarning, folder_, question.name + " is " + text, "differs"});
  }

  const std::string& folder_;
  const std::vector<SeenFile>& files_;
  Report& report_;
  std::vector<Sayings> all_;
};

}  // namespace

std::string list_names(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamed); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kNamed ? text + " and " + std::to_string(names.size() - kNamed) + " more" : text;
}

Sayings sayings_of(const SeenFile& file) {
  const auto whole = protocol::parse_json(file.text);
  if (!whole.ok() || !whole.value().is_object()) return {};
  Collector collector(file.network->subnets);
  collector.add_file(whole.value());
  return std::move(collector.out);
}

void compare_sayings(const std::string& folder, const std::vector<SeenFile>& files, Report& report) {
  Comparison(folder, files, report).run();
}

}  // namespace cnio::cnioctl
