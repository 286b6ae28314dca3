// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cnio/base/host_lock.hpp"
#include "cnio/net/netns.hpp"

namespace cnio::attachment {

// Who works on this host's sandboxes and bridges at the same time. All of it is a comfort, which spares a caller an
// error that he could do something about: what cannot be locked at all, or is still held after kLimit, is worked on
// without, and a note on standard error says so. A lock ends with the object that is returned.
class Turns {
 public:
  static constexpr std::chrono::milliseconds kLimit{5'000};

  // `plugin` is named in notes. Of the host whose network namespace the calling thread is in.
  static Turns open(std::string_view plugin);

  // The number of the host's namespace, 0 if it could not be looked at.
  [[nodiscard]] uint64_t host() const { return host_; }

  // For an ADD: no other ADD works on the sandbox meanwhile. `shown` names it.
  [[nodiscard]] std::optional<HostLock> at_sandbox(const net::Namespace& sandbox, const std::string& shown) const;
  // For an ADD that is about to join a bridge: none is removed for being empty meanwhile.
  [[nodiscard]] std::optional<HostLock> relying_on_bridges() const;

  // Does anybody rely on the bridges now? Else nobody begins to until `lock` is released.
  struct Alone {
    bool granted = false;
    std::optional<HostLock> lock;
  };
  [[nodiscard]] Alone alone_with_bridges() const;

 private:
  explicit Turns(std::string_view plugin) : plugin_(plugin) {}
  [[nodiscard]] std::optional<HostLock> take(const HostLockKey& key, LockKind kind, const std::string& shown) const;

  std::string plugin_;
  uint64_t host_ = 0;
  std::optional<HostLocks> locks_;
};

}  // namespace cnio::attachment
