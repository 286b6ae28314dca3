// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>

namespace cnio {

// Makes a system call again for as long as a signal interrupts it. `call` returns a negative number, with errno, on
// failure. Not for close(2), which has closed whatever it says, nor for waits with a time limit.
template <class Call>
auto retry_interrupted(Call call) {
  for (;;) {
    const auto outcome = call();
    if (outcome >= 0 || errno != EINTR) return outcome;
  }
}

}  // namespace cnio
