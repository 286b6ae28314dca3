// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The files that tuning reads: the first line of the input says which, a "backup", an "allowlist", or names of sysctls,
// one a line; the rest is its content.
#include "cnio/base/error.hpp"

#include "fuzz/fuzz.hpp"
#include "tuning/allowlist.hpp"
#include "tuning/backup.hpp"
#include "tuning/setting_name.hpp"

namespace cnio::fuzz {
namespace {

constexpr char kInterface[] = "e.100";

void check_backup(std::string_view text) {
  const auto backup = tuning::parse_backup(text);
  if (!backup) return;
  for (const tuning::SavedSetting& each : backup->settings) {
    require(tuning::is_setting_path(each.path) && ("/" + each.path + "/").find("/../") == std::string::npos,
            "what is put back is below net", each.path);
  }
  // One that says nothing of whose it is is the reference's, and has no place for the rest.
  if (backup->network.empty()) return;
  tuning::Backup again;
  backup->add_to(again);
  const auto read = tuning::parse_backup(tuning::format_backup(again));
  require(read.has_value(), "what is written can be read");
  require(read->link == backup->link && read->sandbox == backup->sandbox, "writing and reading changes nothing");
  require(tuning::format_backup(*read) == tuning::format_backup(again), "and comes to an end");
}

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

void check_name(const std::string& name) {
  const tuning::SettingName read = tuning::read_name(name, kInterface);
  require(read.paths.size() <= 2, "there are two readings");
  for (const std::string& path : read.paths) {
    require(tuning::is_setting_path(path), "a reading is below net", path);
    require(path.front() != '/' && path.back() != '/', "a reading is a path", path);
    // As sysctl(8) shows it, it is the same.
    const std::string shown = tuning::dotted_names(path, kInterface).front();
    require(tuning::read_name(shown, "IFNAME").paths.front() == path, "what is shown can be read", shown);
  }
}

void check_allowlist(std::string_view text) {
  const auto list = tuning::Allowlist::parse(text);
  if (!list.ok()) return check_error(list.error());
  std::vector<tuning::Setting> settings = {
      {"sysctl.x", "net.core.somaxconn", "1", tuning::read_name("net.core.somaxconn", kInterface)},
      {"sysctl.y", "net/ipv4/conf/e.100/x", "1", tuning::read_name("net/ipv4/conf/e.100/x", kInterface)}};
  const size_t before = settings.back().name.paths.size();
  const Status limited = list.value().limit(settings, kInterface);
  if (!limited.ok()) return check_key_error(limited.error(), Code::kInvalidConfig);
  require(!text.empty(), "an empty list allows nothing");
  require(!settings.back().name.paths.empty() && settings.back().name.paths.size() <= before, "a list adds nothing");
}

void fuzz_one(std::string_view text) {
  const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size()));
  const std::string_view content = text.substr(std::min(line.size() + 1, text.size()));
  if (line == "allowlist") return check_allowlist(content);
  if (line == "backup") return check_backup(content);
  for (const std::string& name : lines(content)) check_name(name);
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
