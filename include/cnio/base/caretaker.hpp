// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "cnio/base/host_lock.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio {

// All processes of ours that do the same as we do now on this host: a lock that they share.
class Crowd {
 public:
  // `host` is the number of the host's network namespace. Nothing if somebody has the lock alone and keeps it, or there
  // is none.
  static std::optional<Crowd> join(uint64_t host);

  [[nodiscard]] uint64_t host() const { return host_; }

 private:
  Crowd(uint64_t host, HostLock lock) : host_(host), lock_(std::move(lock)) {}

  uint64_t host_;
  HostLock lock_;
};

// A process of our own that stays behind for us, because the kernel answers some requests, and closes some sockets,
// only after a grace period of many milliseconds in which nothing can fail any more.
//
// It has our memory as it was at its start, and of our descriptors only those that it is told to keep: whoever waits
// for the end of our output does not wait for it. What it keeps is not closed before it ends, so our closing of the
// same costs nothing. It ends when we end, or on the way into the kernel if we die before; a request that the kernel
// works on is completed. With a crowd, and something slow, it does its work even if we die, so that must do no harm
// later, and ends after the last of them who is there kLingerMs after its work, or kPatienceSeconds later: a socket of
// nf_tables is closed under the lock that all changes of rules need, and takes a grace period if rules were removed a
// moment ago, so that many who close theirs one by one would hold each other up.
//
// Then it is an orphan, of some milliseconds as a rule, which whoever adopts orphans (init) has to reap.
class Caretaker {
 public:
  static constexpr unsigned kPatienceSeconds = 2;
  // How long a crowd is waited for before it counts as gone: the next plugin of a list starts some milliseconds after
  // the one before.
  static constexpr int kLingerMs = 50;

  struct Kept {
    std::vector<int> for_work;    // closed when that is done
    std::vector<int> to_the_end;  // slow to close
  };
  // Starts it with `work`, which says whether it succeeded: if it did not, the caretaker ends at once. `crowd`: that we
  // have joined, or null. Errors: code 5.
  static Result<Caretaker> start(const Kept& kept, const Crowd* crowd, const std::function<bool()>& work);

  // Readable (POLLHUP) once it has ended.
  [[nodiscard]] int ended() const { return ended_.get(); }

 private:
  explicit Caretaker(UniqueFd ended) : ended_(std::move(ended)) {}

  UniqueFd ended_;
};

}  // namespace cnio
