// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cnio/base/file_lock.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio {

// What we keep about this host until its next boot: locks, indexes, records. Nobody else may even look into it, since
// whoever can open a file can lock it.
inline constexpr char kRunFolder[] = "/run/cnio";

// Makes kRunFolder (0700), or a folder of ours in it (`below`, 0700), if it is missing. Errors: code 5, also if what is
// there is no folder, belongs to another user, or can be written by one.
Status make_run_folder(const std::string& below = {});

// What a lock is about: one of ours never stands for another.
struct HostLockKey {
  enum class Purpose : uint8_t {
    kSandbox,   // who adds to a network namespace; its number is that of the namespace's file
    kBridges,   // who relies on a host's bridges, or removes empty ones; number of the host's namespace
    kCrowd,     // see Crowd; number of the host's namespace
    kStore,     // reservations; number of the store's folder
    kLocalnet,  // who relies on packets to 127.0.0.1 being routed, or ends it; number of the host's namespace
    kSubnets,   // who takes a node's subnet over from another network; number 0
  };
  Purpose purpose;
  uint64_t number;
};

// A lock that is held; released by the destructor, and by the kernel when its holder dies.
class HostLock {
 public:
  HostLock(HostLock&&) noexcept = default;
  HostLock& operator=(HostLock&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(at_, other.at_);
    return *this;
  }
  ~HostLock();

 private:
  friend class HostLocks;
  HostLock(std::shared_ptr<const UniqueFd> file, int64_t at) : file_(std::move(file)), at_(at) {}

  std::shared_ptr<const UniqueFd> file_;
  int64_t at_;
};

// The locks that root alone can take, or hold: each is one byte of kRunFolder/locks (0600), locked by fcntl(2)'s open
// file description locks. So no unprivileged process can hold anybody up, and there is one file however many sandboxes
// there are. REQUIRES: one process does not take the same key twice through one object.
class HostLocks {
 public:
  // Errors: code 5. A host without a writable /run has no locks; most callers can do without.
  static Result<HostLocks> open();

  // Waits at most `limit`; `shown` names what is locked. Errors: code 11 if it is still held then, else code 5.
  [[nodiscard]] Result<HostLock> take(const HostLockKey& key, LockKind kind, const std::string& shown,
                                      std::chrono::milliseconds limit) const;
  // Nothing if it would have to be waited for.
  [[nodiscard]] Result<std::optional<HostLock>> try_take(const HostLockKey& key, LockKind kind,
                                                         const std::string& shown) const;

 private:
  explicit HostLocks(UniqueFd file) : file_(std::make_shared<const UniqueFd>(std::move(file))) {}

  std::shared_ptr<const UniqueFd> file_;
};

}  // namespace cnio
