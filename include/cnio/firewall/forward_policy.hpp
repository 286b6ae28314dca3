// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/nftables/nftables.hpp"

// Is what pods send beyond the host forwarded at all? A firewall whose chain for forwarded packets drops by policy
// (Docker, ufw, firewalld) cuts pods off although ADD has done all that is asked of it. The rules are read by netlink
// in the calling thread's network namespace, those of iptables-nft among them; those of the old iptables (x_tables,
// "iptables-legacy") cannot be read that way and are not seen.
namespace cnio::firewall {

struct ForwardSpec {
  // The gateway's interface, for example the bridge, by which pods' packets come in.
  std::string interface;
  net::IfIndex index = net::IfIndex::kNone;  // kNone: not known, for example because ADD has yet to make it
  // Where the packets come from: "10.1.0.2/24" is an address and the subnet that it is in, "10.1.0.0/24" any address of
  // a subnet. Only the families that are listed are looked at; with none, both, from any address.
  std::vector<Cidr> sources;
};

// Where packets end.
struct ForwardDrop {
  Family family = Family::kIpv4;
  std::string interface;
  net::NftTable table;
  std::string chain;
  bool by_policy = true;  // or by a rule that drops whatever comes to it

  // "table ip filter".
  [[nodiscard]] std::string table_text() const;
  // "forwarding of IPv4 from cnio0 is dropped by the policy of chain FORWARD in table ip filter".
  [[nodiscard]] std::string message() const;
  // What to do about it.
  [[nodiscard]] std::string hint() const;
};

// The first chain that surely drops every new TCP or UDP connection from the interface to that of the default route,
// or, if there is none, to wherever a rule may allow it. Says nothing where any rule might accept one: a rule with a
// match that is not understood here counts as one that might. `route` belongs to the same namespace. Costs one request
// where no chain for forwarded packets exists; otherwise a few, and one for each chain that such a packet may come to.
// Errors: code 100, 11.
Result<std::optional<ForwardDrop>> find_forward_drop(net::NftConnection& nft, net::Netlink& route,
                                                     const ForwardSpec& spec);

// All of them, but for those that the caller knows how to pass, whatever they hold by now. For STATUS, which knows no
// interface and no address.
Result<std::vector<ForwardDrop>> list_forward_drops(net::NftConnection& nft, net::Netlink& route,
                                                    const std::function<bool(const net::NftTableChain&)>& is_passed);

}  // namespace cnio::firewall
