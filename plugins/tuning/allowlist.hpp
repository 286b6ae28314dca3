// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"

#include "tuning/config.hpp"

namespace re2 {
class RE2;
}

namespace cnio::tuning {

inline constexpr char kAllowlistFile[] = "/etc/cni/tuning/allowlist.conf";

// Which sysctls an administrator lets configurations set: those of which a line of the file, a pattern in RE2's
// language, matches a part. Lines that are empty or begin with "#" say nothing. Without the file there is no limit.
class Allowlist {
 public:
  // Errors: code 5 for whatever is there and cannot be read, code 7 for a line that is no pattern, naming it: nothing
  // is allowed then.
  static Result<Allowlist> read(const std::string& path = kAllowlistFile);
  // The lines of such a file.
  static Result<Allowlist> parse(std::string_view text, const std::string& shown = kAllowlistFile);

  // Takes those readings of each name away that are not allowed. A pattern may match the name as it is spelled, which
  // is what the reference looks at, or the one by dots. Error: code 7 for a setting of which none is left.
  Status limit(std::vector<Setting>& settings, const std::string& ifname) const;

 private:
  [[nodiscard]] bool matches(std::string_view name) const;
  [[nodiscard]] bool allows(const Setting& setting, const std::string& path, const std::string& ifname) const;

  bool there_ = false;
  std::string path_;
  std::vector<std::shared_ptr<const re2::RE2>> patterns_;
};

}  // namespace cnio::tuning
