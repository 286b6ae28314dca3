// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/firewall/forward_policy.hpp"
#include "cnio/net/address.hpp"

#include "cnioctl/world/failures.hpp"
#include "cnioctl/world/setup.hpp"
#include "cnioctl/world/witness.hpp"
#include "cnioctl/world/world.hpp"

namespace cnio::cnioctl {

struct Places {
  StorePlaces stores = {"/var/lib/cni/networks", "/var/lib/cni"};
  std::string conf_dir = "/etc/cni/net.d";
  std::vector<std::string> networks = {};  // none: all
  WitnessOptions witness = {};             // who is asked besides
};

// A pod's address to which the node does not send by its own cable.
struct Misroute {
  std::string network;
  IpAddr address;
  std::string link;  // by which it does; empty: there is no route
  std::string expected;
};

// A route of the main table by a link that is no cable to a pod, such as those to other nodes' pods.
struct NodeRoute {
  std::string link;
  Cidr dst;
  std::vector<IpAddr> gateways;  // none: on the link
};

struct NodeFacts {
  std::string name;
  std::string kernel;
  long long up_seconds = 0;
  long long now = 0;   // seconds since 1970
  std::string uplink;  // empty: no default route
  std::vector<net::OwnedAddress> addresses;
  std::optional<bool> forwards_ipv4;  // nothing: not known
  std::optional<bool> forwards_ipv6;
  std::vector<firewall::ForwardDrop> drops;  // of what pods send
  std::vector<Misroute> misroutes;
  std::vector<NodeRoute> routes;  // once add_routes was asked
};

// How full a range set of host-local is.
struct Pool {
  std::string range;
  uint64_t size = 0;  // UINT64_MAX: as many or more
  std::optional<IpAddr> next;

  size_t live = 0;
  size_t rebooted = 0;
  size_t gone = 0;
  size_t unknown = 0;
  size_t foreign = 0;  // what is no reservation, but keeps its address from being given

  [[nodiscard]] size_t taken() const { return live + rebooted + gone + unknown + foreign; }
  [[nodiscard]] uint64_t free() const { return size > taken() ? size - taken() : 0; }
  [[nodiscard]] size_t& count(Life life);
};
struct NetworkPools {
  std::string network;
  std::vector<Pool> pools;  // the last may be of what lies in no range: without a size
};

struct Facts {
  World world;
  // Of the folder's files, in their order; then those that no file names any more.
  std::vector<NetworkView> networks;
  NodeFacts node;
  std::vector<NetworkPools> pools;  // by network
  FailureLog failures;              // once they were read: read_failures

  [[nodiscard]] const NetworkView* find_network(const std::string& name) const;
  // Where packets for a pod of this attachment go by: its bridge, or its host end. Null if that is not there.
  [[nodiscard]] const net::Link* gateway_of(const Attached& attached) const;
};

// All that the verbs need that only look. What cannot be looked at is in world.blind.
// What a question is about: who looks at less is answered sooner, where there are a thousand pods.
enum class Depth {
  kStores,  // no addresses and routes of the node, and no firewall
  kPods,    // no firewall that may drop what pods send
  kAll,
};
Facts look_at_facts(const Places& places, Depth depth = Depth::kAll);

// Nothing of other networks than these; of all, if there are none. What two networks quarrel about is not seen then.
void keep_networks(const std::vector<std::string>& names, Facts& facts);

// A node may have tens of thousands, so they are read for those alone that show them; but for those to the links' own
// subnets.
void add_routes(Facts& facts);

// Of what is in the world already; `next` is not looked for.
std::vector<NetworkPools> count_pools(const World& world, const std::vector<NetworkView>& networks);

}  // namespace cnio::cnioctl
