// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace cnio::test {

/// Gives this process an empty /run of its own, once, so that locks and indexes of what it tests are not those of the
/// machine. Whoever may not do that may not write the machine's either, and tests what works without.
inline void own_run_folder() {
  static const bool kDone = [] {
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0) return false;
    const bool own = mount("none", "/", "none", MS_REC | MS_PRIVATE, nullptr) == 0 &&
                     mount("cnio-test", "/run", "tmpfs", 0, "mode=755") == 0;
    if (!own) abort();
    return own;
  }();
  (void)kDone;
}

}  // namespace cnio::test
