// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "tuning/settings.hpp"

#include <algorithm>
#include <cerrno>

#include "cnio/base/error_list.hpp"

namespace cnio::tuning {
namespace {

std::string shown(const std::string& path) { return "/proc/sys/net/" + path; }

bool is_read_only(int errnum) { return errnum == EACCES || errnum == EPERM || errnum == EROFS; }

Error cannot_open(const Setting& setting, const Error& why) {
  if (why.errnum() == EISDIR) return Error::config(setting.place, "is a folder of settings, not one of them");
  if (!is_read_only(why.errnum())) return Error(why).context(setting.place);
  return Error::make(Code::kKernel, setting.place + " cannot be set in this sandbox: " + why.msg())
      .hint("it is read-only, or one of the whole host, which containers do not set");
}

Result<OpenSetting> open_setting(const Setting& setting) {
  for (const std::string& path : setting.name.paths) {
    auto file = net::OpenSysctl::open(path);
    if (!file.ok()) return cannot_open(setting, file.error());
    if (!file.value()) continue;
    auto before = file.value()->read();
    return OpenSetting{&setting, path, *std::move(file).value(), std::move(before)};
  }
  return Error::config(setting.place, "is not there in this sandbox: " + shown(setting.name.paths.front()))
      .hint("some settings need a module of the kernel, or are those of the host alone");
}

Status write_one(const OpenSetting& setting) {
  const Status written = setting.file.write(setting.wanted->value);
  if (written.ok()) return {};
  const std::string value = quote(setting.wanted->value);
  if (is_read_only(written.error().errnum())) return cannot_open(*setting.wanted, written.error());
  return Error::config(setting.wanted->place,
                       "is refused by the kernel as " + value + ": " + errno_text(written.error().errnum()));
}

// The value that the setting has now; nothing if there is no such setting, or nobody can read it.
Result<std::optional<std::string>> read_setting(const std::string& path) {
  auto value = net::read_sysctl(path);
  if (!value.ok() && is_read_only(value.error().errnum())) return std::optional<std::string>();
  return value;
}

const SavedSetting* find(const std::vector<SavedSetting>& settings, const std::string& path) {
  const auto found =
      std::find_if(settings.begin(), settings.end(), [&](const SavedSetting& each) { return each.path == path; });
  return found == settings.end() ? nullptr : &*found;
}

Status check_setting(const Setting& setting, const std::vector<SavedSetting>& saved) {
  bool there = false;
  for (const std::string& path : setting.name.paths) {
    const auto opened = net::OpenSysctl::open(path);
    if (opened.ok() && !opened.value()) continue;
    there = true;
    CNIO_LET(const auto value, read_setting(path));
    if (!value || net::same_setting(*value, setting.value)) return {};
    const SavedSetting* known = find(saved, path);
    if (known != nullptr && net::same_setting(*value, known->set)) return {};
    return Error::make(Code::kCheckFailed, setting.key + " is " + quote(*value) + ", not " + quote(setting.value))
        .hint(shown(path));
  }
  if (there) return {};
  return Error::make(Code::kCheckFailed, setting.key + " is not there: " + shown(setting.name.paths.front()));
}

Status put_back(const SavedSetting& setting) {
  CNIO_LET(const auto file, net::OpenSysctl::open(setting.path));
  if (!file) return {};
  const auto now = file->read();
  return now && net::same_setting(*now, setting.set) ? file->write(setting.before) : Status();
}

}  // namespace

Result<std::vector<OpenSetting>> open_settings(const net::Sandbox& sandbox, const std::vector<Setting>& settings) {
  std::vector<OpenSetting> opened;
  if (settings.empty()) return opened;
  CNIO_TRY(sandbox.run([&]() -> Status {
    for (const Setting& each : settings) {
      CNIO_LET(OpenSetting setting, open_setting(each));
      opened.push_back(std::move(setting));
    }
    return {};
  }));
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
  bool other = false;
  if (settings.empty()) return other;
  CNIO_TRY(sandbox->run([&]() -> Status {
    for (const OpenSetting& each : settings) {
      if (each.before) {
        undo.add("put back " + shown(each.path), [sandbox, path = each.path, before = *each.before] {
          return sandbox->run([&]() -> Status {
            CNIO_TRY(net::change_sysctl(path, before));
            return {};
          });
        });
      }
      CNIO_TRY(write_one(each));
    }
    for (SavedSetting& each : saved) {
      const auto file = std::find_if(settings.begin(), settings.end(),
                                     [&](const OpenSetting& open) { return open.path == each.path; });
      const auto now = file == settings.end() ? std::nullopt : file->file.read();
      if (!now || net::same_setting(*now, each.set)) continue;
      each.set = *now;
      other = true;
    }
    return {};
  }));
  return other;
}

Status put_back_settings(const net::Sandbox& sandbox, const std::vector<SavedSetting>& settings) {
  if (settings.empty()) return {};
  return sandbox.run([&]() -> Status {
    ErrorList errors;
    for (auto each = settings.rbegin(); each != settings.rend(); ++each) errors.collect(put_back(*each));
    return errors.status();
  });
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
