// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/sysctl.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

#include "cnio/base/unique_fd.hpp"

namespace cnio::net {
namespace {

constexpr size_t kMaxValue = 4096;

std::string path_of(const std::string& key) { return "/proc/sys/net/" + key; }

std::string family_folder(const LinkSetting& setting) { return setting.family == Family::kIpv4 ? "ipv4" : "ipv6"; }

// Nothing if the link has no settings of its own.
std::optional<std::string> key_of(const LinkSetting& setting) {
  for (const char* other : {"", ".", "..", "all", "default"}) {
    if (setting.link == other) return std::nullopt;
  }
  if (setting.link.find('/') != std::string::npos) return std::nullopt;
  return family_folder(setting) + "/conf/" + setting.link + "/" + std::string(setting.name);
}

}  // namespace

Result<std::optional<std::string>> read_sysctl(const std::string& key) {
  auto value = read_file(path_of(key), kMaxValue);
  if (!value.ok()) {
    if (value.error().errnum() == ENOENT) return std::optional<std::string>();
    return std::move(value).error();
  }
  std::string text = std::move(value).value();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return std::optional(std::move(text));
}

Result<bool> write_sysctl(const std::string& key, std::string_view value) {
  // Read first: a setting that is right already can be read-only in the runtime's own container.
  CNIO_LET(const std::optional<std::string> present, read_sysctl(key));
  if (!present) return false;
  if (*present == value) return true;
  CNIO_LET(const UniqueFd fd, open_file(path_of(key), O_WRONLY));
  CNIO_TRY(write_all(fd.get(), value, path_of(key)));
  return true;
}

Result<bool> change_sysctl(const std::string& key, std::string_view value) {
  const auto fd = open_file(path_of(key), O_WRONLY);
  if (fd.ok() && write_all(fd.value().get(), value, path_of(key)).ok()) return true;
  return write_sysctl(key, value);
}

std::string to_string(const LinkSetting& setting) {
  std::string link = setting.link;
  std::replace(link.begin(), link.end(), '.', '/');
  return "net." + family_folder(setting) + ".conf." + link + "." + std::string(setting.name);
}

Result<std::optional<std::string>> read_sysctl(const LinkSetting& setting) {
  const auto key = key_of(setting);
  return key ? read_sysctl(*key) : std::optional<std::string>();
}

Result<bool> write_sysctl(const LinkSetting& setting, std::string_view value) {
  const auto key = key_of(setting);
  return key ? write_sysctl(*key, value) : false;
}

Result<bool> change_sysctl(const LinkSetting& setting, std::string_view value) {
  const auto key = key_of(setting);
  return key ? change_sysctl(*key, value) : false;
}

}  // namespace cnio::net
