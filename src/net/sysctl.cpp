// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/sysctl.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include "cnio/base/interrupted.hpp"

namespace cnio::net {
namespace {

// The kernel clears as much memory as is asked for, and nearly all values are numbers.
constexpr size_t kShortValue = 256;
constexpr size_t kLongValue = size_t{16} * 1024;
constexpr char kBlanks[] = " \t\n";

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

void drop_newline(std::string& text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
}

// With its newline. As long as kLongValue: that may not be all of it.
Result<std::string> read_value(const UniqueFd& file, const std::string& path) {
  std::string text;
  for (const size_t size : {kShortValue, kLongValue}) {
    text.resize(size);
    const ssize_t got = retry_interrupted([&] { return pread(file.get(), text.data(), size, 0); });
    if (got < 0) return Error::sys("read " + path, errno);
    text.resize(static_cast<size_t>(got));
    if (text.size() < size) break;
  }
  return text;
}

// The next field, which is taken off the text.
std::string next_field(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const size_t end = std::min(text.find_first_of(kBlanks), text.size());
  std::string field(text.substr(0, end));
  text.remove_prefix(end);
  return field;
}

// As the kernel reads numbers: "0x10" and "020" are 16.
std::optional<long long> number_in(const std::string& field) {
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(field.c_str(), &end, 0);
  const bool whole = errno == 0 && !field.empty() && end == field.c_str() + field.size();
  return whole ? std::optional(number) : std::nullopt;
}

bool same_field(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto number = number_in(a);
  return number && number == number_in(b);
}

}  // namespace

Result<std::optional<OpenSysctl>> OpenSysctl::open(const std::string& key) {
  std::string path = path_of(key);
  auto file = open_file(path, O_RDWR);
  // Some can only be written.
  if (!file.ok() && file.error().errnum() == EACCES) file = open_file(path, O_WRONLY);
  if (file.ok()) return std::optional(OpenSysctl(std::move(file).value(), std::move(path)));
  const int errnum = file.error().errnum();
  if (errnum == ENOENT || errnum == ENOTDIR || errnum == ENAMETOOLONG) return std::optional<OpenSysctl>();
  return std::move(file).error();
}

Result<std::optional<std::string>> OpenSysctl::read() const {
  auto value = read_value(file_, path_);
  const int errnum = value.ok() ? 0 : value.error().errnum();
  if (errnum == EBADF || errnum == EIO) return std::optional<std::string>();
  CNIO_LET(std::string text, std::move(value));
  // What may not have been all of it is of no use.
  if (text.size() == kLongValue) return std::optional<std::string>();
  drop_newline(text);
  return std::optional(std::move(text));
}

Status OpenSysctl::write(std::string_view value) const {
  // From the beginning, and in one piece: what comes behind it, the kernel ignores without a word.
  const ssize_t put = retry_interrupted([&] { return pwrite(file_.get(), value.data(), value.size(), 0); });
  if (put < 0) return Error::sys("write " + path_, errno);
  if (static_cast<size_t>(put) == value.size()) return {};
  return Error::make(Code::kIo, "write " + path_ + ": only a part of it was taken");
}

bool same_setting(std::string_view a, std::string_view b) {
  for (;;) {
    const std::string of_a = next_field(a);
    const std::string of_b = next_field(b);
    if (!same_field(of_a, of_b)) return false;
    if (of_a.empty()) return true;
  }
}

Result<std::optional<std::string>> read_sysctl(const std::string& key) {
  const std::string path = path_of(key);
  const auto file = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file.ok() && file.error().errnum() == ENOENT) return std::optional<std::string>();
  if (!file.ok()) return file.error();
  CNIO_LET(std::string text, read_value(file.value(), path));
  if (text.size() == kLongValue) return Error::make(Code::kIo, "read " + path + ": is too long for a setting");
  drop_newline(text);
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
