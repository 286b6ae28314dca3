// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// The executables of a folder of plugins: name, what the first line of those of ours says of their version, and
// SHA-256. Those that are not ours are not run.
std::string plugins_text(const std::string& folder, Report& report);

// The kernel's settings that pods' networks depend on, as sysctl(8) prints them.
std::string sysctls_text();

// The modules that are loaded, as lsmod(8) lists them; with those that are built in, all may be missing.
std::string modules_text();

}  // namespace cnio::cnioctl
