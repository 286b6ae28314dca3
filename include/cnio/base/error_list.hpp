// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnio/base/result.hpp"

namespace cnio {

// Failures of a teardown that goes on past each of them (DEL, GC), reported together at the end.
class ErrorList {
 public:
  // Keeps the error of a failed step; success is not kept.
  void collect(Status status);
  [[nodiscard]] bool empty() const { return errors_.empty(); }
  // Success if nothing failed; the error itself if one step failed; else the first error's code and all messages,
  // joined by "; also: ".
  [[nodiscard]] Status status() const;

 private:
  std::vector<Error> errors_;
};

}  // namespace cnio
