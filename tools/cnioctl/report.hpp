// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/base/error.hpp"

namespace cnio::cnioctl {

// How the program ends.
enum class Exit : int {
  kWell = 0,
  kFound = 1,    // something is wrong, and so nothing was done
  kUsage = 2,    // a wrong option
  kBlind = 3,    // it could not look everywhere
  kStale = 4,    // the plan is out of date, and nothing was changed
  kNothing = 5,  // there is no such thing
};

enum class Level { kOk, kNote, kWarning, kError };

struct Finding {
  Level level = Level::kError;
  std::string where;  // a file, or "node"
  std::string what;
  std::string kind;  // a fixed name: "same-subnet"; empty for kOk
};

// What a look at something has found, in order.
class Report {
 public:
  void add(Finding finding) { findings_.push_back(std::move(finding)); }
  // What could not be looked at.
  void blind(std::string where, const Error& error);
  void append(const Report& other);

  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
  // kFound with an error, else kBlind if something could not be looked at.
  [[nodiscard]] Exit exit() const;
  // A line each, "<where>: <level>: <what> [<kind>]", which can drive no terminal.
  [[nodiscard]] std::string text() const;
  // {"schema": "cnioctl/1", "findings": [...]}
  [[nodiscard]] std::string json() const;

 private:
  std::vector<Finding> findings_;
};

// What the program says, and how it ends.
struct Outcome {
  Exit exit = Exit::kWell;
  std::string out = {};
  std::string err = {};
};

// "cnioctl: <error> (<hint>)" on standard error.
Outcome failure(const Error& error, Exit exit = Exit::kFound);
Outcome outcome_of(const Report& report, bool json);

}  // namespace cnio::cnioctl
