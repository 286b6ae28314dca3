// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cnio/base/result.hpp"

namespace cnio {

enum class LockKind {
  kAlone,   // nobody else has the lock
  kShared,  // others may share it
};

// Takes the flock(2) of the open file `fd`, as the reference does, and waits for it at most `limit`, in the kernel and
// not by polling. The lock belongs to the open file: it ends when `fd` and all its copies are closed, or
// with the process. A wait uses SIGALRM, so it must not be shared with other threads; the signal's state is put back.
// Errors: code 11 if it is still held by another after `limit`, naming the file (`shown`) and the time; else code 5.
Status lock_file(int fd, const std::string& shown, std::chrono::milliseconds limit, LockKind kind = LockKind::kAlone);

// The same for a single byte of the file, by fcntl(2)'s open file description locks (F_OFD_SETLK), which are apart from
// those of flock(2). `fd` must be open for writing, or for reading if the lock is shared.
Status lock_byte(int fd, int64_t at, const std::string& shown, std::chrono::milliseconds limit, LockKind kind);
// Without waiting: false if another has it.
Result<bool> try_lock_byte(int fd, int64_t at, const std::string& shown, LockKind kind);
// What is not locked is a success. Keeps errno.
void unlock_byte(int fd, int64_t at);

}  // namespace cnio
