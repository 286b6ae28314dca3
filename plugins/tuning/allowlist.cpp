// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "tuning/allowlist.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <re2/re2.h>
#include <sys/stat.h>

#include "cnio/base/unique_fd.hpp"

namespace cnio::tuning {
namespace {

constexpr size_t kMaxAllowlist = size_t{1024} * 1024;
constexpr char kBlanks[] = " \t\r\v\f";

std::string_view trimmed(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  return line.substr(0, line.find_last_not_of(kBlanks) + 1);
}

Result<std::shared_ptr<const re2::RE2>> compile(std::string_view line, const std::string& place) {
  auto pattern = std::make_shared<re2::RE2>(re2::StringPiece(line.data(), line.size()), re2::RE2::Quiet);
  if (pattern->ok()) return std::shared_ptr<const re2::RE2>(std::move(pattern));
  return Error::make(Code::kInvalidConfig, place + ": " + quote(line) + " is no pattern: " + one_line(pattern->error()))
      .hint("until it is corrected no sysctl is allowed");
}

// After an open(2) that found nothing: is there really nothing of that name? A link that leads nowhere is something.
Status check_absent(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) return Error::make(Code::kIo, path + ": is a link that leads nowhere");
  return errno == ENOENT ? Status() : Error::sys("look at " + path, errno);
}

}  // namespace

Result<Allowlist> Allowlist::read(const std::string& path) {
  const auto file = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file.ok() && file.error().errnum() != ENOENT) return file.error();
  if (!file.ok()) {
    CNIO_TRY(check_absent(path));
    return Allowlist();
  }
  CNIO_LET(const std::optional<std::string> text, read_regular(file.value().get(), kMaxAllowlist, path));
  if (text) return parse(*text, path);
  return Error::make(Code::kIo, path + ": is no file").hint("it limits which sysctls are allowed");
}

Result<Allowlist> Allowlist::parse(std::string_view text, const std::string& shown) {
  Allowlist list;
  list.there_ = true;
  list.path_ = shown;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    CNIO_LET(auto pattern, compile(line, shown + ", line " + std::to_string(number)));
    list.patterns_.push_back(std::move(pattern));
  }
  return list;
}

bool Allowlist::matches(std::string_view name) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const auto& pattern) {
    return re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *pattern);
  });
}

bool Allowlist::allows(const Setting& setting, const std::string& path, const std::string& ifname) const {
  if (matches(setting.key)) return true;
  const std::vector<std::string> names = dotted_names(path, ifname);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return matches(name); });
}

Status Allowlist::limit(std::vector<Setting>& settings, const std::string& ifname) const {
  if (!there_) return {};
  for (Setting& setting : settings) {
    std::erase_if(setting.name.paths, [&](const std::string& path) { return !allows(setting, path, ifname); });
    if (!setting.name.paths.empty()) continue;
    return Error::config(setting.place, "is not allowed by " + path_)
        .hint("each of its lines is a pattern of what is allowed");
  }
  return {};
}

}  // namespace cnio::tuning
