// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "tuning/setting_name.hpp"

#include <algorithm>
#include <optional>

namespace cnio::tuning {
namespace {

constexpr std::string_view kPlaceholder = "IFNAME";
constexpr std::string_view kRoot = "net";

void swap_separators(std::string& text) {
  for (char& each : text) {
    if (each == '.' || each == '/') each = each == '.' ? '/' : '.';
  }
}

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    if (end != 0) parts.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts) {
  std::string path;
  for (const std::string& part : parts) path.append(path.empty() ? "" : "/").append(part);
  return path;
}

std::string with_name(std::string path, const std::string& ifname) {
  const size_t at = path.find(kPlaceholder);
  return at == std::string::npos ? path : path.replace(at, kPlaceholder.size(), ifname);
}

bool climbs(const std::string& part) { return part == "." || part == ".."; }

// Below net/, without net/ itself.
std::optional<std::string> below_net(std::string_view path) {
  std::vector<std::string> parts = split(path);
  if (parts.size() < 2 || parts.front() != kRoot || std::any_of(parts.begin(), parts.end(), climbs))
    return std::nullopt;
  parts.erase(parts.begin());
  return join(parts);
}

std::string all_separators_alike(std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  return name;
}

}  // namespace

SettingName read_name(std::string_view name, const std::string& ifname) {
  SettingName read;
  if (name.find('\0') != std::string_view::npos) return read;
  std::string by_first(name);
  if (const size_t first = name.find_first_of("./"); first != std::string_view::npos && name[first] == '.') {
    swap_separators(by_first);
  }
  const std::string alike = with_name(all_separators_alike(std::string(name)), ifname);
  for (const std::string& reading : {with_name(std::move(by_first), ifname), alike}) {
    auto path = below_net(reading);
    if (path && (read.paths.empty() || read.paths.front() != *path)) read.paths.push_back(*std::move(path));
  }
  read.id = join(split(all_separators_alike(alike)));
  return read;
}

std::vector<std::string> dotted_names(const std::string& path, const std::string& ifname) {
  const auto dotted = [](const std::vector<std::string>& parts) {
    std::string name = std::string(kRoot) + "/" + join(parts);
    swap_separators(name);
    return name;
  };
  std::vector<std::string> parts = split(path);
  std::vector<std::string> names = {dotted(parts)};
  // ipv4/conf/eth0/forwarding, ipv6/neigh/eth0/delay_first_probe_time
  constexpr size_t kInterface = 2;
  if (parts.size() > kInterface && (parts[1] == "conf" || parts[1] == "neigh") && parts[kInterface] == ifname) {
    parts[kInterface] = kPlaceholder;
    names.push_back(dotted(parts));
  }
  return names;
}

bool is_setting_path(std::string_view path) {
  const auto read = below_net(std::string(kRoot) + "/" + std::string(path));
  return read && *read == path && path.find('\0') == std::string_view::npos;
}

}  // namespace cnio::tuning
