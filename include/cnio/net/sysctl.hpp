// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

// Kernel settings below /proc/sys/net, in the calling thread's network namespace. Keys are given as path below it, for
// example "ipv4/ip_forward".
namespace cnio::net {

// The value without its newline; nothing if this kernel has no such setting (IPv6 switched off).
Result<std::optional<std::string>> read_sysctl(const std::string& key);
// Success too if it has the value already. Nothing (false) if this kernel has no such setting.
Result<bool> write_sysctl(const std::string& key, std::string_view value);
// The same, without a look first: for settings of a new interface, which are hardly ever right already.
Result<bool> change_sysctl(const std::string& key, std::string_view value);

// A setting that is open: it stays that of the namespace in which it was opened, in which it is also to be read and
// written, since some of the kernel's settings look at who does it.
class OpenSysctl {
 public:
  // Nothing if this kernel has no such setting. Errors carry errno: EISDIR for what is a folder of settings, EACCES or
  // EPERM for one that is read-only here.
  static Result<std::optional<OpenSysctl>> open(const std::string& key);
  // Without its newline. Nothing of one that can only be written, has no value yet (stable_secret), or too long a one.
  [[nodiscard]] Result<std::optional<std::string>> read() const;
  // Errors carry errno: EINVAL for what the kernel does not take.
  [[nodiscard]] Status write(std::string_view value) const;

 private:
  OpenSysctl(UniqueFd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  UniqueFd file_;
  std::string path_;
};

// Do both texts say the same to the kernel? Fields between white space count one by one, and numbers by their value, so
// that "1024 65000" is what it shows as "1024\t65000".
bool same_setting(std::string_view a, std::string_view b);

// A setting of one interface: conf/<link>/<name>. A link that is called "all" or "default", as one may be, has none of
// its own: the kernel means every interface, and those to come. Neither has a name that would lead elsewhere ("..").
struct LinkSetting {
  Family family;
  std::string link;  // dots are part of it
  std::string_view name;
};
// "net.ipv6.conf.br0.accept_ra", as sysctl(8) takes it; dots of the link's name are slashes there.
std::string to_string(const LinkSetting& setting);

// As above. Nothing (false), too, if the link has no settings of its own.
Result<std::optional<std::string>> read_sysctl(const LinkSetting& setting);
Result<bool> write_sysctl(const LinkSetting& setting, std::string_view value);
Result<bool> change_sysctl(const LinkSetting& setting, std::string_view value);

}  // namespace cnio::net
