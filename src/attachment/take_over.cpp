// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/attachment/take_over.hpp"

#include <algorithm>

#include "cnio/base/error_list.hpp"
#include "cnio/net/conntrack.hpp"
#include "cnio/net/neighbour.hpp"
#include "cnio/net/sysctl.hpp"

namespace cnio::attachment {
namespace {

Status correct_host(net::Netlink& host, const std::optional<net::Link>& gateway, const MacAddr& mac,
                    const std::vector<IpAddr>& addresses) {
  if (!gateway) return {};
  CNIO_LET(const bool known, replace_neighbours(host, *gateway, mac, addresses));
  return known ? net::forget_connections(addresses) : Status();
}

// Removes the address from the host's table. False if it is somebody else's.
Result<bool> forget_neighbour(net::Netlink& host, const net::Link& gateway, const IpAddr& address,
                              const std::optional<MacAddr>& mac) {
  CNIO_LET(const std::optional<net::Neighbour> entry, net::find_neighbour(host, gateway, address));
  if (!entry) return true;
  if (entry->mac && entry->mac != mac) return false;
  CNIO_TRY(net::remove_neighbour(host, gateway, address));
  return true;
}

}  // namespace

Result<bool> replace_neighbours(net::Netlink& host, const net::Link& gateway, const MacAddr& mac,
                                const std::vector<IpAddr>& addresses) {
  bool known = false;
  for (const IpAddr& address : addresses) {
    CNIO_LET(const bool replaced, net::replace_neighbour(host, gateway, address, mac));
    known = known || replaced;
  }
  return known;
}

Status take_over_addresses(net::Netlink& host, const std::optional<net::Link>& gateway, net::Sandbox& sandbox,
                           const net::Link& sandbox_end, const std::vector<IpAddr>& addresses) {
  if (!sandbox_end.mac) return {};
  ErrorList errors;
  errors.collect(correct_host(host, gateway, *sandbox_end.mac, addresses));
  errors.collect(net::set_mac(sandbox.route(), sandbox_end, *sandbox_end.mac));
  return errors.status();
}

Status announced(net::Sandbox& sandbox, const net::Link& sandbox_end, const std::vector<IpAddr>& addresses,
                 const std::function<Status()>& change) {
  const auto any = [&](bool v4) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const IpAddr& each) { return each.is_v4() == v4; });
  };
  const bool ipv4 = !sandbox_end.announces_ipv4 && any(true);
  const bool ipv6 = sandbox_end.ipv6 && !sandbox_end.ipv6->announces && any(false);
  const auto announce = [&](bool on) {
    if (ipv4) (void)net::set_arp_notify(sandbox.route(), sandbox_end, on);
    if (!ipv6) return;
    (void)sandbox.run([&]() -> Status {
      CNIO_TRY(net::change_sysctl(net::LinkSetting{Family::kIpv6, sandbox_end.name, "ndisc_notify"}, on ? "1" : "0"));
      return {};
    });
  };
  announce(true);
  Status changed = change();
  announce(false);
  return changed;
}

Status forget_addresses(net::Netlink& host, net::Netlink* netfilter, const std::optional<net::Link>& gateway,
                        std::vector<IpAddr> addresses, const std::optional<MacAddr>& mac) {
  // Others follow from the MAC address, and are never given to anybody else.
  std::erase_if(addresses, [](const IpAddr& address) { return address.is_link_local_unicast(); });
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  if (addresses.empty()) return {};
  ErrorList errors;
  std::vector<IpAddr> ours;
  for (const IpAddr& address : addresses) {
    const Result<bool> forgotten = gateway ? forget_neighbour(host, *gateway, address, mac) : Result<bool>(true);
    if (!forgotten.ok()) errors.collect(forgotten.error());
    if (forgotten.ok() && forgotten.value()) ours.push_back(address);
  }
  errors.collect(net::forget_connections(ours, netfilter));
  return errors.status();
}

}  // namespace cnio::attachment
