// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/base/rollback.hpp"

namespace cnio {

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
