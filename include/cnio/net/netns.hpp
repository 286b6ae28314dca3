// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio::net {

// An open network namespace, kept alive by its descriptor (namespaces(7)).
class Namespace {
 public:
  // The calling thread's.
  static Result<Namespace> current();
  // The namespace that `path` names (a bind mount, or /proc/<pid>/ns/net). Nothing if the path does not exist or is no
  // network namespace: for DEL such a sandbox is gone. Any other failure is an error.
  static Result<std::optional<Namespace>> find(const std::string& path);
  // Likewise, where it must be there. Error: code 4, naming CNI_NETNS.
  static Result<Namespace> open(const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool same_as(const Namespace& other) const {
    return device_ == other.device_ && inode_ == other.inode_;
  }

  // Runs `work` inside this namespace and returns to the current one. If returning is impossible the process aborts:
  // going on in the wrong namespace would damage the host. The process must be single-threaded.
  Status run(const std::function<Status()>& work) const;
  // Likewise in a new namespace, which vanishes with all that `work` made in it.
  static Status run_in_new(const std::function<Status()>& work);

 private:
  Namespace(UniqueFd fd, unsigned long device, unsigned long inode)
      : fd_(std::move(fd)), device_(device), inode_(inode) {}

  UniqueFd fd_;
  unsigned long device_;
  unsigned long inode_;
};

// Whoever has it alone needs it for a few milliseconds; one that was stopped meanwhile must not stop everybody else.
inline constexpr std::chrono::seconds kNamespaceLockLimit{20};

// A lock on a network namespace itself (flock(2)): no file has to be agreed on or left behind, and the kernel releases
// it when its holder dies. Released by the destructor.
class NamespaceLock {
 public:
  // On a sandbox, alone; `shown` names it in messages. Waits at most `limit`. Error: code 11. A process within the
  // sandbox can take the lock, too: it is for those who add to the sandbox, and nobody waits for it who removes.
  static Result<NamespaceLock> alone(const Namespace& sandbox, const std::string& shown,
                                     std::chrono::milliseconds limit = kNamespaceLockLimit);

  // The others are on the namespace of the process, the host's.

  // Together with others that share it; waits at most `limit` for one that has it alone. Error: code 11.
  static Result<NamespaceLock> share(std::chrono::milliseconds limit = kNamespaceLockLimit);
  // Alone; nothing if anybody has it.
  static Result<std::optional<NamespaceLock>> try_alone();

  NamespaceLock(NamespaceLock&&) noexcept = default;
  NamespaceLock& operator=(NamespaceLock&& other) noexcept {
    std::swap(netns_, other.netns_);
    return *this;
  }
  ~NamespaceLock();

 private:
  explicit NamespaceLock(UniqueFd netns) : netns_(std::move(netns)) {}

  UniqueFd netns_;
};

}  // namespace cnio::net
