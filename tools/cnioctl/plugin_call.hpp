// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/base/process.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/plugin.hpp"
#include "cnio/protocol/request.hpp"

#include "cnioctl/remembered.hpp"

namespace cnio::cnioctl {

// The node's own plugins do the work, as its runtime calls them: what is made again, or goes, is then just what they
// make and remove, whichever version they are.
struct Plugins {
  std::string folders;                // as CNI_PATH
  protocol::Environment environment;  // which PATH is theirs, for the programs that they need
};

// A call of the list's plugin of this number, with what libcni gives it: name and version of the list, prevResult,
// capabilities that it asks for. `command` is DEL or CHECK, or protocol::kRepairCommand.
class PluginCall {
 public:
  // Errors: code 101 if the plugin is not in the folders.
  static Result<PluginCall> start(const Plugins& plugins, const Remembered& of, size_t number,
                                  const std::string& command);
  [[nodiscard]] const std::string& type() const { return type_; }
  // What it answers. Errors: its own, with its name in front.
  Result<std::string> finish();

 private:
  PluginCall(std::string type, std::string input) : type_(std::move(type)), input_(std::move(input)) {}

  std::string type_;
  std::string input_;
  std::optional<RunningProcess> process_;
};

// protocol::kRepairEachCommand of a plugin.
class RepairCall {
 public:
  // Errors: code 101 if the plugin is not in the folders.
  static Result<RepairCall> start(const Plugins& plugins, const std::string& type, std::string lines, size_t count);
  // What it answers to each line; to those that it did not come to, why. Nothing if it does not know the command: it
  // has answered to none, and ended by itself.
  Result<std::optional<std::vector<Result<std::string>>>> finish();

 private:
  RepairCall(std::string type, std::string lines, size_t count)
      : type_(std::move(type)), lines_(std::move(lines)), count_(count) {}

  std::string type_;
  std::string lines_;
  size_t count_;
  std::optional<RunningProcess> process_;
};
// What one has to be given of an attachment, and which plugin it is. Errors: code 7.
Result<protocol::RepairLine> repair_line(const Remembered& of, size_t number);
Result<std::string> type_of(const Remembered& of, size_t number);

// What one has to be given on stdin. Errors: code 6, 7.
Result<std::string> input_of(const Remembered& of, size_t number);

}  // namespace cnio::cnioctl
