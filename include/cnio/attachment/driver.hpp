// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cnio/attachment/addressing.hpp"
#include "cnio/attachment/network.hpp"
#include "cnio/attachment/pair.hpp"
#include "cnio/attachment/record.hpp"
#include "cnio/attachment/sandbox_end.hpp"
#include "cnio/attachment/turns.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/net/route.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

namespace cnio::attachment {

// Where an ADD acts, and what it makes.
struct Places {
  Turns turns;
  std::optional<AttachmentRecord> record;  // none on a host that cannot keep it
  RecordedPair pair;                       // what this ADD makes
  net::Netlink host;
  net::Sandbox sandbox;
  std::optional<net::NftConnection> nft;  // if masquerading needs it
};

// Addresses of one of the host's links.
struct HostAddresses {
  net::Link link;
  std::vector<IpAddr> addresses;
};

// How the pod's interface, a route on its sandbox side, comes to the host: as a port of a bridge, as a router of its
// own. A plugin has one for each request that it serves; the stories of ADD, DEL and GC (stories.hpp) ask it for what
// is special about it, in the order in which it stands here.
class Driver {
 public:
  virtual ~Driver() = default;

  [[nodiscard]] virtual const Network& network() const = 0;

  // ---- ADD

  // Before anything is made, besides what is looked at for every kind of link.
  virtual Status look(Places& /*at*/) { return {}; }
  // Makes the pair, by create_pair, and of its host end what it has to be; both ends stay down.
  virtual Result<Veth> make(Places& at, Rollback& undo) = 0;
  // Tells more of an error of a later step, if the cause is something that this driver knows.
  virtual Error explain(Places& /*at*/, Error error) { return error; }
  // What becomes of the IPAM plugin's answer.
  [[nodiscard]] virtual Completion completion() const = 0;
  // The sandbox's routes, and whether its addresses bring one with them.
  [[nodiscard]] virtual Result<std::vector<net::RouteSpec>> routes(const protocol::AddResult& result) const {
    return kernel_routes(result);
  }
  [[nodiscard]] virtual net::PrefixRoute prefix_route() const { return net::PrefixRoute::kMade; }
  // Refuses what the host cannot have, before the first address is set.
  virtual Status plan(Places& at, const protocol::AddResult& result) = 0;
  // The host's side, when the pod's stands. Last of all: others may rely on it at once, so it is not undone.
  virtual Status connect_host(Places& at, const Veth& veth, const protocol::AddResult& result) = 0;
  // What the pod, or who sends to it, needs of the host's IPv6 addresses at once, if there is anything.
  virtual Result<std::optional<HostAddresses>> host_addresses(Places& /*at*/, const Veth& /*veth*/,
                                                              const protocol::AddResult& /*result*/) {
    return std::optional<HostAddresses>();
  }
  // Where the host has the pod for a neighbour, if it can know somebody there already.
  virtual Result<std::optional<net::Link>> neighbourhood(Places& at) = 0;
  // The result's interfaces, those of the host first.
  virtual Result<std::vector<protocol::Interface>> interfaces(Places& at, const Veth& veth) = 0;

  // ---- REPAIR

  // Makes of the host's side of a pair that stands what `make` and `connect_host` make of a new one's.
  virtual Status rejoin(Places& at, const Veth& veth, const protocol::AddResult& prev) = 0;

  // ---- DEL and GC, which get a driver of whatever is left of the configuration

  // Rules of this attachment besides those of masquerading.
  virtual Status remove_rules(net::NftConnection& /*nft*/) { return {}; }
  // The same of all attachments of the network that are not valid.
  virtual Status collect_rules(const std::vector<protocol::Attachment>& /*valid*/) { return {}; }
  // Where the host had the pod for a neighbour; nothing if that is gone.
  virtual Result<std::optional<net::Link>> former_neighbourhood(net::Netlink& /*host*/) {
    return std::optional<net::Link>();
  }
  // Takes those out of the addresses of a pod that is gone which are another pod's by now, as far as this driver can
  // tell: what the host remembers of these is the other's. Also for the undo of an ADD.
  virtual Status leave_to_others(net::Netlink& /*host*/, std::vector<IpAddr>& /*addresses*/) { return {}; }
  // What goes with the last attachment.
  virtual Status tidy_up(net::Netlink& /*host*/) { return {}; }
};

}  // namespace cnio::attachment
