// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "net/link/removal.hpp"

#include <linux/netlink.h>

#include "cnio/net/link/events.hpp"

#include "net/link/message.hpp"

namespace cnio::net {
namespace {

constexpr int kRemovalTimeoutMs = 10'000;

Result<bool> remove_by_another(const Link& link) {
  CNIO_LET(Netlink route, Netlink::open(NETLINK_ROUTE));
  return remove_swiftly(link, route, link);
}

}  // namespace

Result<bool> remove_swiftly(const Link& last, Netlink& route, const Link& link, const std::vector<int>& slow,
                            const Crowd* crowd) {
  CNIO_LET(LinkEvents events, LinkEvents::open());
  CNIO_LET(const Caretaker caretaker, Caretaker::start({.for_work = {route.fd()}, .to_the_end = slow}, crowd,
                                                       [&] { return delete_link(route, link).ok(); }));
  return events.hear_of_removal(last, kRemovalTimeoutMs, caretaker.ended());
}

Status remove_link_swiftly(Netlink& route, const Link& link) {
  const auto removed = remove_by_another(link);
  return removed.ok() && removed.value() ? Status() : remove_link(route, link);
}

}  // namespace cnio::net
