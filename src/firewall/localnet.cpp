// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/localnet.hpp"

#include <chrono>
#include <linux/netlink.h>

#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/netns.hpp"
#include "cnio/net/route.hpp"
#include "cnio/net/sysctl.hpp"

namespace cnio::firewall {
namespace {

constexpr std::string_view kLocalnet = "route_localnet";
constexpr std::chrono::milliseconds kPatience{5'000};

net::LinkSetting setting_of(const std::string& interface) { return {Family::kIpv4, interface, kLocalnet}; }

// Nothing if there is no route.
Result<std::optional<Localnet>> find_way(const IpAddr& pod) {
  CNIO_LET(net::Netlink route, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const auto match, net::match_route(route, pod));
  if (!match || match->local || match->barrier) return std::optional<Localnet>();
  CNIO_LET(const auto link, net::find_link(route, match->link));
  if (!link) return std::optional<Localnet>();
  return std::optional(Localnet{link->name, match->dst.prefix == pod.bits()});
}

Result<bool> is_on(const std::string& interface) {
  CNIO_LET(const auto all, net::read_sysctl("ipv4/conf/all/" + std::string(kLocalnet)));
  if (all == "1") return true;
  CNIO_LET(const auto own, net::read_sysctl(setting_of(interface)));
  return !own || own == "1";
}

}  // namespace

Result<std::optional<Localnet>> find_localnet(const IpAddr& pod) {
  CNIO_LET(const auto way, find_way(pod));
  if (!way) return way;
  CNIO_LET(const bool on, is_on(way->interface));
  return on ? std::optional<Localnet>() : way;
}

Result<bool> routes_localnet(const IpAddr& pod) {
  CNIO_LET(const auto way, find_way(pod));
  if (!way) return true;
  return is_on(way->interface);
}

Status set_localnet(const std::string& interface, bool on) {
  CNIO_TRY(net::write_sysctl(setting_of(interface), on ? "1" : "0"));
  return {};
}

std::optional<HostLock> lock_localnet(LockKind kind) {
  const auto number = net::Namespace::own_number();
  const auto locks = HostLocks::open();
  if (!number.ok() || !locks.ok()) return std::nullopt;
  auto lock =
      locks.value().take({HostLockKey::Purpose::kLocalnet, number.value()}, kind, std::string(kLocalnet), kPatience);
  return lock.ok() ? std::optional(std::move(lock).value()) : std::nullopt;
}

}  // namespace cnio::firewall
