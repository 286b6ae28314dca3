// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "tuning/interface.hpp"

#include <linux/netlink.h>
#include <optional>

#include "cnio/attachment/take_over.hpp"
#include "cnio/base/error_list.hpp"

namespace cnio::tuning {
namespace {

using net::Link;
using net::LinkChange;
using net::Sandbox;

// The host has its neighbours at its end of the pair, or at the bridge whose port that is.
Status tell_host(const Sandbox& sandbox, const Link& link, const MacAddr& mac, const std::vector<IpAddr>& addresses) {
  if (addresses.empty()) return {};
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const std::optional<Link> end, sandbox.find_host_end(host, link));
  if (!end) return {};
  CNIO_LET(const std::optional<Link> bridge, net::find_link(host, end->master));
  CNIO_TRY(attachment::replace_neighbours(host, bridge ? *bridge : *end, mac, addresses));
  return {};
}

Status change(Sandbox& sandbox, const Link& link, const LinkChange& wanted, const std::vector<IpAddr>& addresses) {
  const auto work = [&] { return net::change_link(sandbox.route(), link, wanted); };
  return wanted.mac ? attachment::announced(sandbox, link, addresses, work) : work();
}

// Each key for itself, in the reverse of the order in which they were set.
std::vector<LinkChange> one_by_one(const LinkChange& all) {
  return {{.tx_queue = all.tx_queue},
          {.all_multicast = all.all_multicast},
          {.promiscuous = all.promiscuous},
          {.mtu = all.mtu},
          {.mac = all.mac}};
}

Status change_as_far_as_possible(Sandbox& sandbox, const Link& link, const LinkChange& wanted,
                                 const std::vector<IpAddr>& addresses) {
  if (wanted.empty() || change(sandbox, link, wanted, addresses).ok()) return {};
  ErrorList errors;
  for (const LinkChange& each : one_by_one(wanted)) {
    if (!each.empty()) errors.collect(change(sandbox, link, each, addresses));
  }
  return errors.status();
}

}  // namespace

Status check_mtu(const LinkChange& wanted, const Link& link) {
  if (!wanted.mtu || (*wanted.mtu >= link.min_mtu && (link.max_mtu == 0 || *wanted.mtu <= link.max_mtu))) return {};
  return Error::config("mtu", "must be within " + std::to_string(link.min_mtu) + " and " +
                                  std::to_string(link.max_mtu) + ", which " + link.name + " takes, not " +
                                  std::to_string(*wanted.mtu));
}

Status change_interface(const std::shared_ptr<Sandbox>& sandbox, const Link& link, const LinkChange& wanted,
                        const std::vector<IpAddr>& addresses, Rollback& undo) {
  const LinkChange different = differing(wanted, present(link, wanted));
  if (different.empty()) return {};
  undo.add("put back " + to_string(present(link, different)) + " of " + link.name,
           [=] { return put_back_interface(*sandbox, link.name, present(link, different), addresses); });
  CNIO_TRY(change(*sandbox, link, different, addresses));
  // Those who remember the old address find the new one by themselves, if later.
  if (different.mac) (void)tell_host(*sandbox, link, *different.mac, addresses);
  return {};
}

Status put_back_interface(Sandbox& sandbox, const std::string& ifname, const LinkChange& before,
                          const std::vector<IpAddr>& addresses) {
  if (before.empty()) return {};
  CNIO_LET(const std::optional<Link> link, net::find_link(sandbox.route(), ifname));
  if (!link) return {};
  const LinkChange different = differing(before, present(*link, before));
  Status done = change_as_far_as_possible(sandbox, *link, different, addresses);
  if (different.mac) (void)tell_host(sandbox, *link, *different.mac, addresses);
  return done;
}

Status check_interface(const Link& link, const LinkChange& wanted) {
  const LinkChange now = present(link, wanted);
  const LinkChange different = differing(wanted, now);
  if (different.empty()) return {};
  return Error::make(Code::kCheckFailed,
                     link.name + " has " + to_string(present(link, different)) + ", not " + to_string(different));
}

}  // namespace cnio::tuning
