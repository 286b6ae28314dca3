// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/plugin.hpp"

namespace cnio::test {

/// A list of plugins, run as a container runtime runs it: each gets the list's name and version and the result of the
/// one before, CHECK and DEL the result of the last; DEL goes backwards.
class Chain {
 public:
  /// `folders` are searched in turn for the plugins, and are their CNI_PATH.
  Chain(std::string version, std::string name, std::vector<Json> plugins, std::vector<std::string> folders)
      : version_(std::move(version)),
        name_(std::move(name)),
        plugins_(std::move(plugins)),
        folders_(std::move(folders)) {}

  /// What a runtime passes to plugins that have this capability (portMappings, bandwidth).
  void set_capability(const std::string& capability, const Json& value) { runtime_[capability] = value; }

  /// The result of the last plugin; throws if one fails. `results()` has that of each.
  Json add(const Attachment& attachment);
  const std::vector<Json>& results() const { return results_; }

  /// Stop at the first failure.
  ::testing::AssertionResult check(const Attachment& attachment) const;
  ::testing::AssertionResult del(const Attachment& attachment) const;

 private:
  Outcome call(const std::string& verb, const Json& plugin, const Json& previous, const Attachment& attachment) const;

  std::string version_;
  std::string name_;
  std::vector<Json> plugins_;
  std::vector<std::string> folders_;
  std::map<std::string, Json> runtime_;
  std::vector<Json> results_;
};

}  // namespace cnio::test
