// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/qdisc.hpp"

// Filters of a queueing discipline (`tc filter`) through RTM_*TFILTER messages: linux/pkt_cls.h. Every function acts in
// the namespace of the socket that it is given.
namespace cnio::net {

// Where filters of a link's `ingress` are, and of its `clsact`: of what it receives, and of what it sends.
inline constexpr TcHandle kFiltersOfIngress = kIngressHandle;
inline constexpr TcHandle kFiltersOfClsact = 0xFFFFFFF2;
inline constexpr TcHandle kFiltersOfClsactOut = 0xFFFFFFF3;
// Those of what the link receives, by the kind of discipline there.
TcHandle filters_of(const Qdisc& ingress);

struct Filter {
  TcHandle parent = 0;
  uint16_t preference = 0;  // a lower one is asked first
  uint16_t protocol = 0;    // ETH_P_ALL: of any
  uint32_t handle = 0;
  std::string kind;                // "u32", "bpf"
  bool every_packet = false;       // of u32: its one key matches everything
  std::vector<IfIndex> redirects;  // of u32: where its actions send packets to; none (0): that link is gone

  [[nodiscard]] bool redirects_to(IfIndex link) const;
};

// Those that decide about packets, in the order in which they are asked; not the tables that hold them. None if there
// is no such parent.
Result<std::vector<Filter>> list_filters(Netlink& route, const Link& link, TcHandle parent);

// Every packet goes out by another link instead (tc-mirred(8)), as if that had been asked to send it.
struct RedirectSpec {
  TcHandle parent = kFiltersOfIngress;
  uint16_t preference = 0;  // 1 to 65535; one that filters of another kind have is an error
  IfIndex to = IfIndex::kNone;
};
Status add_redirect(Netlink& route, const Link& link, const RedirectSpec& spec);
// One that is gone already, with or without its link, is success. What held it may stay, if another filter is of the
// same kind; that goes by `remove_all_like`, with all filters of the same preference and protocol.
Status remove_all_like(Netlink& route, const Link& link, const Filter& filter);
Status remove_filter(Netlink& route, const Link& link, const Filter& filter);

}  // namespace cnio::net
