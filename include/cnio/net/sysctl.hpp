// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"

// Kernel settings below /proc/sys/net, in the calling thread's network namespace. Keys are given as path below it, for
// example "ipv4/ip_forward".
namespace cnio::net {

// The value without its newline; nothing if this kernel has no such setting (IPv6 switched off).
Result<std::optional<std::string>> read_sysctl(const std::string& key);
// Success too if it has the value already. Nothing (false) if this kernel has no such setting.
Result<bool> write_sysctl(const std::string& key, std::string_view value);
// The same, without a look first: for settings of a new interface, which are hardly ever right already.
Result<bool> change_sysctl(const std::string& key, std::string_view value);

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
