// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cnio/base/result.hpp"

// Kernel settings below /proc/sys/net, in the calling thread's network namespace. Keys are given as path below it, for
// example "ipv4/ip_forward": interface names may hold dots.
namespace cnio::net {

// The value without its newline; nothing if this kernel has no such setting (IPv6 switched off).
Result<std::optional<std::string>> read_sysctl(const std::string& key);
// Success too if it has the value already. Nothing (false) if this kernel has no such setting.
Result<bool> write_sysctl(const std::string& key, std::string_view value);
// The same, without a look first: for settings of a new interface, which are hardly ever right already.
Result<bool> change_sysctl(const std::string& key, std::string_view value);

}  // namespace cnio::net
