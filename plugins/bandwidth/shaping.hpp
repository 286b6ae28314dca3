// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/net/filter.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/qdisc.hpp"

#include "bandwidth/names.hpp"

// What limits a pod, all of it on the host:
//
//   host end   token bucket at its root: what the pod receives
//              a filter of what it receives, which redirects everything to
//   ifb        token bucket at its root: what the pod sends
//
// The pod has no say in it. Its form is the reference's, so that either implementation finds what the other has made.
namespace cnio::bandwidth {

inline constexpr net::TcHandle kOurRoot = 0x00010000;  // "1:"
// Behind the filters of others, which so lose no packet to us: the first that the kernel gives to those who do not ask
// for one.
inline constexpr uint16_t kPreference = 0xC000;

struct Limits {
  std::optional<net::TbfSpec> ingress;
  std::optional<net::TbfSpec> egress;
  std::optional<MacAddr> mac = {};  // that the ifb is known by; nothing: any
};

// What there is on a host end.
struct Shape {
  std::optional<net::Qdisc> root;     // that somebody has added
  std::optional<net::Qdisc> ingress;  // or clsact
  std::vector<net::Filter> filters;   // of what it receives
};
Result<Shape> look(net::Netlink& host, const net::Link& host_end);
// Is it a token bucket as we and the reference add them?
bool is_our_root(const net::Qdisc& root);
// Does it take every packet, for this link?
bool is_redirect(const net::Filter& filter, net::IfIndex to);

// Limits the pod whose cable ends in `host_end`; what the owner had before goes. Registers its removal. Returns the
// ifb, if there is one. Errors: code 103, before any change, if something of others is in the way.
Result<std::optional<net::Link>> limit(net::Netlink& host, const net::Link& host_end, const Owner& owner,
                                       const Limits& limits, Rollback& undo);

// Removes what the owner has: from the host end, if it is known, from whatever redirects to its ifbs, and these. Goes
// on past failures.
Status unlimit(net::Netlink& host, const std::optional<net::Link>& host_end, const Owner& owner);

// The same for those of a network that are not `valid`.
Status unlimit_stale(net::Netlink& host, const std::string& network, const std::vector<protocol::Attachment>& valid);

// Makes all of it once, in a network of its own that vanishes.
Status rehearse();

}  // namespace cnio::bandwidth
