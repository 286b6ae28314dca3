// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"

namespace cnio {

// The undo steps of an ADD. A step that can half-succeed registers its undo before it runs, any other right after.
// `run` executes them in reverse order; `commit` forgets them. An undo touches only what this ADD made.
// Forgetting both is safe for the caller only on success paths, so the destructor runs what is still registered.
class Rollback {
 public:
  using Step = std::function<Status()>;

  Rollback() = default;
  ~Rollback() { (void)run(); }
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;

  // `what` names the step in messages, e.g. "remove veth1234abcd".
  void add(std::string what, Step step) { steps_.push_back({std::move(what), std::move(step)}); }
  // Runs after all steps of `add`, whatever the order of registration: an address is released only when nothing uses
  // it.
  void last(std::string what, Step step) { last_.push_back({std::move(what), std::move(step)}); }
  void commit();
  // Runs and forgets every step; goes on past failures, exceptions among them, and returns their messages, one a step.
  std::vector<std::string> run();

 private:
  struct Named {
    std::string what;
    Step step;
  };
  std::vector<Named> steps_;
  std::vector<Named> last_;
};

// For steps that register their undo, of work that stays done whatever fails after it.
class NoRollback {
 public:
  NoRollback() = default;
  ~NoRollback() { steps_.commit(); }
  NoRollback(const NoRollback&) = delete;
  NoRollback& operator=(const NoRollback&) = delete;

  [[nodiscard]] Rollback& steps() { return steps_; }

 private:
  Rollback steps_;
};

}  // namespace cnio
