// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/firewall/port_map.hpp"
#include "cnio/net/nftables/nftables.hpp"

#include "firewall/port_map_sources.hpp"

// What an attachment has in the table of port maps, as the comments of its rules in its chain ports-<hash> tell. So DEL
// finds it by one look, however many others there are, and whatever has become of the configuration.
namespace cnio::firewall {

// One port that leads to the pod: "tcp 192.168.50.1:8080 -> 10.88.0.11:80", "*:8080" for all addresses.
struct LedPort {
  uint8_t protocol = 0;
  std::optional<IpAddr> host;
  uint16_t host_port = 0;
  IpAddr pod;
  uint16_t pod_port = 0;

  auto operator<=>(const LedPort&) const = default;
  [[nodiscard]] Family family() const { return pod.family(); }
  [[nodiscard]] std::string text() const;
  // Its map and its key in there; `conditional`: that of the chains with conditions.
  [[nodiscard]] const std::string& map(bool conditional = false) const;
  [[nodiscard]] std::string key() const;
  [[nodiscard]] net::NftElement element(std::string comment) const;
  // The same, leading to the attachment's rules.
  [[nodiscard]] net::NftElement conditional_element(std::string chain, std::string comment) const;
};

struct PortMapRecord {
  std::vector<LedPort> ports;
  bool conditional4 = false;  // the ports of a family are in the maps of chains, too
  bool conditional6 = false;
  bool quiet = false;  // the pod is not masqueraded: 127.0.0.1 does not have its ports
  bool shown = false;  // iptables' chains lead to the pod: here is only what these cannot do
  std::vector<MasqueradedSource> masqueraded;
  std::string localnet;  // the pod's own interface, of which route_localnet was 0

  [[nodiscard]] bool empty() const { return ports.empty(); }
  [[nodiscard]] bool conditional(Family family) const { return family == Family::kIpv4 ? conditional4 : conditional6; }
  // Does the loopback address keep it?
  [[nodiscard]] bool keeps(const LedPort& port) const {
    return !port.host && (port.family() == Family::kIpv4 ? quiet : shown);
  }
  // What its comments are, but for those of the ports.
  [[nodiscard]] std::vector<std::string> marks() const;
  // Of a comment that was read. Others mean nothing.
  void understand(std::string_view comment);
};

// Of the attachment of this hash; empty if it has none.
Result<PortMapRecord> read_port_map_record(net::NftConnection& nft, std::string_view owner_hash);

// What is to be taken out of the table: elements, as map and key, and then chains.
struct PortMapRemoval {
  std::set<std::pair<std::string, std::string>> elements;
  std::set<std::string> chains;

  void add(const PortMapRemoval& other);
  void put(net::NftBatch& batch) const;
  [[nodiscard]] bool empty() const { return elements.empty() && chains.empty(); }
};
// All that is recorded.
PortMapRemoval removal_of(std::string_view owner_hash, const PortMapRecord& record);
// The same, as far as it is there and its own: somebody has changed the table by hand.
Result<PortMapRemoval> careful_removal_of(net::NftConnection& nft, std::string_view owner_hash,
                                          const PortMapRecord& record);

}  // namespace cnio::firewall
