// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio {

// A process of our own that stays behind for us, because the kernel answers some requests, and closes some sockets,
// only after a grace period of many milliseconds in which nothing can fail any more.
//
// It has our memory as it was at its start, and of our descriptors only those in `kept`: whoever waits for the end of
// our output does not wait for it. What it keeps is not closed before it ends, so our closing of the same costs
// nothing. It ends when we end, or on the way into the kernel if we die before; a request that the kernel works on is
// completed.
//
// Then it is an orphan of some milliseconds, which whoever adopts orphans (init, as a rule) has to reap.
class Caretaker {
 public:
  // Starts it with `work`, which says whether it succeeded: if it did not, the caretaker ends at once. Errors: code 5.
  static Result<Caretaker> start(const std::vector<int>& kept, const std::function<bool()>& work);

  // Readable (POLLHUP) once it has ended.
  [[nodiscard]] int ended() const { return ended_.get(); }

 private:
  explicit Caretaker(UniqueFd ended) : ended_(std::move(ended)) {}

  UniqueFd ended_;
};

}  // namespace cnio
