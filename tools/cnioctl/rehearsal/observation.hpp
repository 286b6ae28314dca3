// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

#include "cnio/base/result.hpp"
#include "cnio/net/netlink.hpp"

namespace cnio::cnioctl {

// Something that an ADD may make or change, in words that say all of it that matters.
struct Thing {
  enum class Where : uint8_t { kHost, kPod, kRules, kSettings, kFiles };
  Where where = Where::kHost;
  std::string text;  // "link cni0 (bridge)"; may hold what others have written

  auto operator<=>(const Thing&) const = default;
};
// "host", "pod", "nft", "sysctl", "file".
std::string_view to_string(Thing::Where where);

using Things = std::set<Thing>;

// The links, addresses and routes of the socket's namespace. What the kernel makes by itself (link-local addresses, the
// routes to them) is left out.
Status observe_links(net::Netlink& route, Thing::Where where, Things& out);
// What the calling thread's namespace has in nf_tables (base chains, and what attachments have), and its settings.
Status observe_rules(Things& out);
Status observe_settings(net::Netlink& route, Things& out);

}  // namespace cnio::cnioctl
