// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/net/nftables/nftables.hpp"

#include "firewall/port_map_sources.hpp"

// The table of port maps: what all attachments share, and what the parts of one are called. A packet's way:
//
//   prerouting, output    to one of the host's addresses, but for ::1: on to lead4 or lead6
//   lead4, lead6          what hosts4 has for address, protocol and port, else what ports4 has for protocol and port
//   postrouting           of what was led so: from4_24 and its like say whose source is masqueraded
//   loopback              before all of them: 127.0.0.1 and ::1 keep the ports in quiet4 and quiet6 for themselves,
//                         whoever would translate them later
//   guard                 what comes in for 127.0.0.1 from elsewhere is dropped, since the host now routes such packets
//
// A port with conditions is in hosts4_if or ports4_if besides: it leads to the attachment's rules.
namespace cnio::firewall {

// NOLINTBEGIN(bugprone-dynamic-static-initializers): declared here, made in one place
extern const net::NftTable kPortMapTable;
// Interfaces for which packets to and from 127.0.0.1 are routed on our account.
extern const std::string kLocalnet;
// NOLINTEND(bugprone-dynamic-static-initializers)

// Names of maps of one family. Keys: [the host's address, ]protocol, port.
struct PortMapNames {
  std::string hosts;     // to the pod's address and port
  std::string ports;     // likewise
  std::string hosts_if;  // to a chain of the attachment
  std::string ports_if;  // likewise
  std::string pods;      // pods that are masqueraded to; also if their ports are reached from 127.0.0.1
  std::string quiet;     // protocol and port that the loopback address keeps: the pod could not answer
};
const PortMapNames& port_map_names(Family family);

// "ports-<hash>": which ports lead to it, as rules with conditions, or else as comments of rules that nothing leads to.
std::string ports_chain(std::string_view owner_hash);
bool is_ports_chain(std::string_view chain);
// The hash in that name.
std::string_view hash_in_chain(std::string_view chain);

std::string port_key(uint8_t protocol, uint16_t port);
std::string host_port_key(const IpAddr& host, uint8_t protocol, uint16_t port);
std::string pod_port_data(const IpAddr& pod, uint16_t port);

// Only what is missing of its sets is made. With prefixes the rules, too, which masquerade these, are made anew.
void put_port_map_table(net::NftBatch& batch, const std::optional<std::set<SourcePrefix>>& prefixes);
struct PortMapTableState {
  std::string fault;                // with what all share; empty if nothing is
  bool has_attachment = false;      // there is a chain ports-<hash>
  std::set<SourcePrefix> prefixes;  // those that there are, and those that are needed
};
// `needed`: prefixes without which that is a fault.
Result<PortMapTableState> look_at_port_map_table(net::NftConnection& nft, std::string_view owner_hash,
                                                 const std::set<SourcePrefix>& needed);
// Those that there are.
Result<std::set<SourcePrefix>> list_prefixes(net::NftConnection& nft);
// How many chains and sets it has without any attachment, and without those of prefixes.
uint32_t size_of_port_map_table();

}  // namespace cnio::firewall
