// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

// Queueing disciplines (`tc qdisc`) through RTM_*QDISC messages: tc(8), linux/pkt_sched.h. Every function acts in the
// namespace of the socket that it is given.
namespace cnio::net {

// "1:2" is 0x00010002; of a discipline itself the second number is 0. One that the kernel chose when nobody asked for
// any has the handle 0, and gives way to the first that somebody adds.
using TcHandle = uint32_t;
inline constexpr TcHandle kRoot = 0xFFFFFFFF;           // parent: what a link sends goes through it
inline constexpr TcHandle kIngress = 0xFFFFFFF1;        // parent: what a link receives, and what clsact looks at
inline constexpr TcHandle kIngressHandle = 0xFFFF0000;  // "ffff:", which `ingress` and `clsact` always have
// "1:", or "1:2".
std::string to_string_tc(TcHandle handle);

// A token bucket (tc-tbf(8)): packets pass while there are tokens for their bytes, and wait otherwise.
//
// What a host's own programs send comes in packets of up to 64 KiB, which network cards cut into frames (GSO). The
// bucket cuts those that are larger than itself. One that it does not cut and that is larger than the queue would be
// dropped whole, even by a queue that is empty, which ruins TCP: so those are cut as well. That is done by a peak rate
// that nothing reaches, whose bucket is as large as the queue; tc(8) shows it if the queue is smaller than the bucket.
struct TbfSpec {
  uint64_t rate = 0;   // tokens that come in, in bytes a second
  uint32_t burst = 0;  // tokens that the bucket holds, in bytes; a frame that is larger is dropped
  uint32_t limit = 0;  // bytes that may wait; what comes then is dropped

  bool operator==(const TbfSpec&) const = default;
};

// The same, as the kernel tells it: of the bucket it tells how long it takes to fill.
struct Tbf {
  uint64_t rate = 0;    // bytes a second
  uint32_t buffer = 0;  // ticks of 64 ns, of which the kernel tells the last 32 bits
  uint32_t limit = 0;   // bytes
};
// How long a bucket takes to fill, in such ticks. The kernel computes with rounded factors: it may be a little off.
uint64_t ticks_of(uint64_t rate, uint32_t burst);

struct Qdisc {
  IfIndex link = IfIndex::kNone;
  std::string kind;         // "tbf", "ingress", "noqueue"
  TcHandle handle = 0;      // of its own
  TcHandle parent = 0;      // kRoot, kIngress, or a class of another
  std::optional<Tbf> tbf;   // of one of this kind
  uint64_t overlimits = 0;  // how often something had to wait
  uint32_t backlog = 0;     // bytes that wait

  [[nodiscard]] bool chosen_by_kernel() const { return handle == 0; }
};

// All of one link, or, without a link, of all links, in no order.
Result<std::vector<Qdisc>> list_qdiscs(Netlink& route, const Link& link);
Result<std::vector<Qdisc>> list_qdiscs(Netlink& route);
// The one at this parent that somebody has added; nothing if there is none. Of those that list_qdiscs has told.
std::optional<Qdisc> find_qdisc(const std::vector<Qdisc>& qdiscs, TcHandle parent);

// Adds one where there is none but the kernel's own; else errno EEXIST. Errno ENOENT if the kernel has none of the
// kind.
Status add_tbf(Netlink& route, const Link& link, TcHandle handle, const TbfSpec& spec);
// A place for filters of what the link receives. Receives and sends: clsact, which has one for each.
Status add_ingress(Netlink& route, const Link& link);
Status add_clsact(Netlink& route, const Link& link);
// Of this kind at this place; with it go its filters. One that is gone already, with or without its link, is success.
Status remove_qdisc(Netlink& route, const Link& link, const Qdisc& qdisc);

}  // namespace cnio::net
