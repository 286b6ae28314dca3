// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "bandwidth/shaping.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/netlink.h>

#include "cnio/attachment/identity.hpp"
#include "cnio/net/link/ifb.hpp"
#include "cnio/net/netns.hpp"

namespace cnio::bandwidth {
namespace {

constexpr std::string_view kNeeds =
    "the kernel needs sch_tbf, and for what a pod sends also ifb, sch_ingress, cls_u32 and act_mirred";

Error in_the_way(const net::Link& host_end, const net::Qdisc& root) {
  return Error::make(Code::kConflict, "interface " + host_end.name + " has the queueing discipline " + root.kind + " " +
                                          net::to_string_tc(root.handle) + " already, which somebody else has added")
      .hint("`tc qdisc show dev " + host_end.name + "` tells more; there can be one");
}

// Behind all others.
Result<uint16_t> choose_preference(const net::Link& host_end, const Shape& shape) {
  unsigned preference = kPreference;
  for (const net::Filter& filter : shape.filters) preference = std::max(preference, filter.preference + 1U);
  if (preference <= UINT16_MAX) return static_cast<uint16_t>(preference);
  return Error::make(Code::kConflict, "interface " + host_end.name + " has a filter with the last preference, 65535: " +
                                          "there is no place behind it");
}

// Marked from the start: there is no moment at which nobody knows whose it is.
Status make_marked(net::Netlink& host, const net::Link& ifb, const Owner& owner, const net::TbfSpec& spec) {
  return host.together([&]() -> Status {
    CNIO_TRY(net::create_ifb(host, {.name = ifb.name, .index = ifb.index, .mtu = ifb.mtu, .mac = *ifb.mac}));
    CNIO_TRY(net::set_alias(host, ifb, attachment::host_end_alias(owner.network, owner.attachment)));
    CNIO_TRY(net::set_no_ipv6_address(host, ifb));
    CNIO_TRY(net::add_tbf(host, ifb, kOurRoot, spec));
    return net::set_link_up(host, ifb);
  });
}

Result<net::Link> make_ifb(net::Netlink& host, const net::Link& host_end, const Owner& owner, const Limits& limits) {
  net::Link ifb;
  ifb.kind = "ifb";
  ifb.mtu = host_end.mtu;
  ifb.ipv6 = host_end.ipv6;  // whether there is any: that follows from the kernel and the MTU
  const std::vector<std::string> names = ifb_names(owner);
  for (const std::string& name : names) {
    ifb.name = name;
    ifb.index = net::random_index();
    ifb.mac = limits.mac.value_or(MacAddr::random());
    const Status made = make_marked(host, ifb, owner, *limits.egress);
    if (made.ok()) return ifb;
    if (made.error().errnum() != EEXIST) return made.error();
  }
  return Error::make(Code::kConflict,
                     "interfaces " + names.front() + " to " + names.back() + " exist already, and are not this pod's")
      .hint("`ip -d link show type ifb` tells whose they are");
}

Status shape_host_end(net::Netlink& host, const net::Link& host_end, const Shape& shape, const Limits& limits,
                      const std::optional<net::Link>& ifb) {
  CNIO_LET(const uint16_t preference, choose_preference(host_end, shape));
  return host.together([&]() -> Status {
    if (limits.ingress) CNIO_TRY(net::add_tbf(host, host_end, kOurRoot, *limits.ingress));
    if (!ifb) return {};
    if (!shape.ingress) CNIO_TRY(net::add_ingress(host, host_end));
    const net::TcHandle parent = shape.ingress ? net::filters_of(*shape.ingress) : net::kFiltersOfIngress;
    return net::add_redirect(host, host_end, {.parent = parent, .preference = preference, .to = ifb->index});
  });
}

// If that was made for a filter that then was refused, nothing tells that it is ours.
Status remove_empty_ingress(net::Netlink& host, const net::Link& host_end) {
  CNIO_LET(const Shape shape, look(host, host_end));
  if (!shape.ingress || shape.ingress->kind != "ingress" || !shape.filters.empty()) return {};
  return net::remove_qdisc(host, host_end, *shape.ingress);
}

Status take_back(net::IfIndex index, const Owner& owner, bool ingress_is_ours) {
  CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
  CNIO_LET(const std::optional<net::Link> host_end, net::find_link(host, index));
  CNIO_TRY(unlimit(host, host_end, owner));
  return host_end && ingress_is_ours ? remove_empty_ingress(host, *host_end) : Status();
}

// What the owner has there from before, if it has anything: ADD again, or one that was killed.
Result<Shape> clear(net::Netlink& host, const net::Link& host_end, const Owner& owner, Shape shape) {
  CNIO_LET(const std::optional<net::Link> named, net::find_link(host, ifb_names(owner).front()));
  if (!named && !shape.root && shape.filters.empty()) return shape;
  CNIO_TRY(unlimit(host, host_end, owner));
  return look(host, host_end);
}

}  // namespace

Result<Shape> look(net::Netlink& host, const net::Link& host_end) {
  CNIO_LET(const std::vector<net::Qdisc> qdiscs, net::list_qdiscs(host, host_end));
  Shape shape;
  shape.root = net::find_qdisc(qdiscs, net::kRoot);
  shape.ingress = net::find_qdisc(qdiscs, net::kIngress);
  if (shape.ingress) {
    CNIO_LET(shape.filters, net::list_filters(host, host_end, net::filters_of(*shape.ingress)));
  }
  return shape;
}

bool is_our_root(const net::Qdisc& root) { return root.kind == "tbf" && root.handle == kOurRoot; }

bool is_redirect(const net::Filter& filter, net::IfIndex to) {
  // The reference's has the same action twice, of which the first takes all.
  return filter.every_packet && !filter.redirects.empty() && filter.redirects.front() == to;
}

Result<std::optional<net::Link>> limit(net::Netlink& host, const net::Link& host_end, const Owner& owner,
                                       const Limits& limits, Rollback& undo) {
  CNIO_LET(Shape shape, look(host, host_end));
  if (limits.ingress && shape.root && !is_our_root(*shape.root)) return in_the_way(host_end, *shape.root);
  CNIO_TRY(choose_preference(host_end, shape));
  CNIO_LET(shape, clear(host, host_end, owner, std::move(shape)));
  undo.add("remove the limits of " + host_end.name,
           [index = host_end.index, owner, ours = limits.egress && !shape.ingress] {
             return take_back(index, owner, ours);
           });
  std::optional<net::Link> ifb;
  const auto make = [&]() -> Status {
    if (limits.egress) {
      CNIO_LET(ifb, make_ifb(host, host_end, owner, limits));
    }
    return shape_host_end(host, host_end, shape, limits, ifb);
  };
  const Status made = make();
  const int errnum = made.ok() ? 0 : made.error().errnum();
  if (errnum == ENOENT || errnum == EOPNOTSUPP) return Error(made.error()).hint(kNeeds);
  if (!made.ok()) return made.error();
  return ifb;
}

Status rehearse() {
  return net::Namespace::run_in_new([]() -> Status {
    CNIO_LET(net::Netlink host, net::Netlink::open(NETLINK_ROUTE));
    CNIO_LET(const std::optional<net::Link> loopback, net::find_link(host, "lo"));
    if (!loopback) return Error::make(Code::kKernel, "a new network namespace has no interface lo");
    const net::TbfSpec spec = {.rate = 1'000'000, .burst = 100'000, .limit = 100'000};
    Rollback nothing_stays;
    CNIO_TRY(limit(host, *loopback, {"rehearsal", {"rehearsal", "eth0"}}, {spec, spec}, nothing_stays));
    nothing_stays.commit();
    return {};
  });
}

}  // namespace cnio::bandwidth
