// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/turns.hpp"

#include "cnio/protocol/plugin.hpp"

namespace cnio::attachment {

Turns Turns::open(std::string_view plugin) {
  Turns turns(plugin);
  const auto host = net::Namespace::own_number();
  auto locks = HostLocks::open();
  if (host.ok()) turns.host_ = host.value();
  if (host.ok() && locks.ok()) turns.locks_ = std::move(locks).value();
  return turns;
}

std::optional<HostLock> Turns::take(const HostLockKey& key, LockKind kind, const std::string& shown) const {
  if (!locks_) return std::nullopt;
  auto lock = locks_->take(key, kind, shown, kLimit);
  if (lock.ok()) return std::move(lock).value();
  protocol::note(plugin_, lock.error().msg() + "; goes on without");
  return std::nullopt;
}

std::optional<HostLock> Turns::at_sandbox(const net::Namespace& sandbox, const std::string& shown) const {
  return take({HostLockKey::Purpose::kSandbox, sandbox.number()}, LockKind::kAlone, shown);
}

std::optional<HostLock> Turns::relying_on_bridges() const {
  return take({HostLockKey::Purpose::kBridges, host_}, LockKind::kShared, "the bridges of this host");
}

Turns::Alone Turns::alone_with_bridges() const {
  // Without locks nobody can tell; an ADD that loses its bridge says so, and is tried again.
  if (!locks_) return {true, std::nullopt};
  auto lock = locks_->try_take({HostLockKey::Purpose::kBridges, host_}, LockKind::kAlone, "the bridges of this host");
  if (!lock.ok()) return {true, std::nullopt};
  if (!lock.value()) return {false, std::nullopt};
  return {true, *std::move(lock).value()};
}

}  // namespace cnio::attachment
