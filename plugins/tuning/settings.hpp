// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/net/sysctl.hpp"

#include "tuning/backup.hpp"
#include "tuning/config.hpp"

// Sysctls of the sandbox.
namespace cnio::tuning {

// One that can be written; `wanted` outlives it.
struct OpenSetting {
  const Setting* wanted;
  std::string path;
  net::OpenSysctl file;
  std::optional<std::string> before;  // nothing: nobody can read it
};

// In the sandbox. All of them, or none: whatever cannot be written here is found before anything is. Errors: code 7 for
// what is no setting of this sandbox, 100 for one that is read-only in it.
Result<std::vector<OpenSetting>> open_settings(const std::vector<Setting>& settings);

// What DEL has to know of them.
std::vector<SavedSetting> saved(const std::vector<OpenSetting>& settings);

// In the sandbox, in their order. What the kernel makes of a value, if it is something else, is written into `saved`:
// true if there was such a one. Errors: code 7 for a value that the kernel does not take.
Result<bool> write_settings(const std::shared_ptr<net::Sandbox>& sandbox, const std::vector<OpenSetting>& settings,
                            std::vector<SavedSetting>& saved, Rollback& undo);

// Those that still have the value that was set, in reverse order. Goes on past failures.
Status put_back_settings(const net::Sandbox& sandbox, const std::vector<SavedSetting>& settings);

// Error: code 104 for the first that has another value, or none. Those that nobody can read are passed over.
Status check_settings(const net::Sandbox& sandbox, const std::vector<Setting>& settings,
                      const std::vector<SavedSetting>& saved);

}  // namespace cnio::tuning
