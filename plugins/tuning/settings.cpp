// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "tuning/settings.hpp"

#include <algorithm>
#include <cerrno>

#include "cnio/base/error_list.hpp"

namespace cnio::tuning {
namespace {

std::string shown(const std::string& path) { return "/proc/sys/net/" + path; }

bool is_read_only(int errnum) { return errnum == EACCES || errnum == EPERM || errnum == EROFS; }

Error cannot_set(const Setting& setting, const Error& why) {
  if (why.errnum() == EISDIR) return Error::config(setting.place, "is a folder of settings, not one of them");
  if (!is_read_only(why.errnum())) return Error(why).context(setting.place);
  return Error::make(Code::kKernel, setting.place + " cannot be set in this sandbox: " + why.msg())
      .hint("it is read-only, or one of the whole host, which containers do not set");
}

Result<OpenSetting> open_setting(const Setting& setting) {
  for (const std::string& path : setting.name.paths) {
    auto file = net::OpenSysctl::open(path);
    if (!file.ok()) return cannot_set(setting, file.error());
    if (!file.value()) continue;
    CNIO_LET(auto before, file.value()->read());
    return OpenSetting{&setting, path, *std::move(file).value(), std::move(before)};
  }
  return Error::config(setting.place, "is not there in this sandbox: " + shown(setting.name.paths.front()))
      .hint("some settings need a module of the kernel, or are those of the host alone");
}

// Of this path; the end if there is none.
template <class Settings>
auto find(Settings& settings, const std::string& path) {
  return std::find_if(settings.begin(), settings.end(), [&](const auto& each) { return each.path == path; });
}

bool is_of_the_machine(int errnum) { return errnum == ENOMEM || errnum == EIO || errnum == ENOSPC; }

Status write_one(const OpenSetting& setting) {
  const Status written = setting.file.write(setting.wanted->value);
  if (written.ok()) return {};
  const int errnum = written.error().errnum();
  if (is_read_only(errnum) || is_of_the_machine(errnum)) return cannot_set(*setting.wanted, written.error());
  return Error::config(setting.wanted->place,
                       "is refused by the kernel as " + quote(setting.wanted->value) + ": " + errno_text(errnum));
}

// Has the kernel made something else of the value?
Result<bool> read_again(const OpenSetting& setting, SavedSetting& saved) {
  CNIO_LET(const auto now, setting.file.read());
  if (!now || net::same_setting(*now, saved.set)) return false;
  saved.set = *now;
  return true;
}

Status compare(const Setting& setting, const std::string& path, const std::string& now,
               const std::vector<SavedSetting>& saved) {
  if (net::same_setting(now, setting.value)) return {};
  const auto known = find(saved, path);
  if (known != saved.end() && net::same_setting(now, known->set)) return {};
  return Error::make(Code::kCheckFailed, setting.key + " is " + quote(now) + ", not " + quote(setting.value))
      .hint(shown(path));
}

Status check_setting(const Setting& setting, const std::vector<SavedSetting>& saved) {
  for (const std::string& path : setting.name.paths) {
    auto value = net::read_sysctl(path);
    if (!value.ok() && is_read_only(value.error().errnum())) return {};
    if (!value.ok() && value.error().errnum() == ENOTDIR) continue;
    CNIO_LET(const auto now, std::move(value));
    if (now) return compare(setting, path, *now, saved);
  }
  return Error::make(Code::kCheckFailed, setting.key + " is not there: " + shown(setting.name.paths.front()));
}

enum class Which : bool { kAll, kUnchanged };

// True if it was done, and not left alone.
Result<bool> put_back(const SavedSetting& setting, Which which) {
  CNIO_LET(const auto file, net::OpenSysctl::open(setting.path));
  if (!file) return false;
  if (which == Which::kUnchanged) {
    CNIO_LET(const auto now, file->read());
    if (!now || !net::same_setting(*now, setting.set)) return false;
  }
  CNIO_TRY(file->write(setting.before));
  return true;
}

// Does the kernel set it for each interface, when it is set for all?
bool spreads(const SavedSetting* setting) {
  return setting->path == "ipv4/ip_forward" || setting->path.find("/conf/all/") != std::string::npos;
}

// In the sandbox, in reverse order. What was put back of an interface stays so when that of all is.
Status put_back_all(const std::vector<SavedSetting>& settings, Which which) {
  ErrorList errors;
  std::vector<const SavedSetting*> done;
  for (auto each = settings.rbegin(); each != settings.rend(); ++each) {
    const Result<bool> one = put_back(*each, which);
    if (!one.ok()) errors.collect(one.error());
    if (one.ok() && one.value()) done.push_back(&*each);
  }
  if (std::none_of(done.begin(), done.end(), spreads)) return errors.status();
  for (const SavedSetting* each : done) {
    const Result<bool> again = net::write_sysctl(each->path, each->before);
    if (!again.ok()) errors.collect(again.error());
  }
  return errors.status();
}

}  // namespace

Result<std::vector<OpenSetting>> open_settings(const std::vector<Setting>& settings) {
  std::vector<OpenSetting> opened;
  for (const Setting& each : settings) {
    CNIO_LET(OpenSetting setting, open_setting(each));
    opened.push_back(std::move(setting));
  }
  return opened;
}

std::vector<SavedSetting> saved(const std::vector<OpenSetting>& settings) {
  std::vector<SavedSetting> out;
  for (const OpenSetting& each : settings) {
    if (each.before) out.push_back({each.path, *each.before, each.wanted->value});
  }
  return out;
}

Result<bool> write_settings(const std::shared_ptr<net::Sandbox>& sandbox, const std::vector<OpenSetting>& settings,
                            std::vector<SavedSetting>& saved, Rollback& undo) {
  undo.add("put back the sysctls from before", [sandbox, before = tuning::saved(settings)] {
    return sandbox->run([&] { return put_back_all(before, Which::kAll); });
  });
  for (const OpenSetting& each : settings) CNIO_TRY(write_one(each));
  bool other = false;
  for (const OpenSetting& each : settings) {
    const auto own = find(saved, each.path);
    if (own == saved.end()) continue;
    CNIO_LET(const bool changed, read_again(each, *own));
    other = other || changed;
  }
  return other;
}

Status put_back_settings(const net::Sandbox& sandbox, const std::vector<SavedSetting>& settings) {
  if (settings.empty()) return {};
  return sandbox.run([&] { return put_back_all(settings, Which::kUnchanged); });
}

Status check_settings(const net::Sandbox& sandbox, const std::vector<Setting>& settings,
                      const std::vector<SavedSetting>& saved) {
  if (settings.empty()) return {};
  return sandbox.run([&]() -> Status {
    for (const Setting& each : settings) CNIO_TRY(check_setting(each, saved));
    return {};
  });
}

}  // namespace cnio::tuning
