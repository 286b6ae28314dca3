// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/net/nftables/nftables.hpp"

// The rules that the reference makes with the iptables program, as one form that is written in two ways: as the
// nf_tables program that iptables-nft makes of it, so that `iptables -S` and `iptables-save` print it as if iptables
// had been called, and as arguments for the program itself, where a host uses the old tables of x_tables.
namespace cnio::firewall {

// A mark as iptables has it: --mark and --set-xmark value/mask.
struct XtablesMark {
  uint32_t value = 0;
  uint32_t mask = 0xFFFFFFFF;
  bool operator==(const XtablesMark&) const = default;
};

// -m conntrack --ctstate, as bits of linux/netfilter/xt_conntrack.h.
enum class XtablesState : uint16_t { kNone = 0, kRelatedEstablished = 0b110, kDnat = 0b1000'0000 };

// In the order in which iptables prints it.
struct XtablesRule {
  std::optional<Cidr> source = {};
  std::optional<Cidr> destination = {};
  std::string input_interface = {};
  std::string output_interface = {};
  bool other_output = false;         // `! -o`: any but that one
  uint8_t protocol = 0;              // IPPROTO_TCP, UDP, SCTP or DCCP; 0: any
  uint16_t destination_port = 0;     // -m <protocol> --dport; 0: any
  std::string comment = {};          // at most 255 bytes
  std::vector<uint16_t> ports = {};  // -m multiport --dports, at most 15
  bool to_local = false;             // -m addrtype --dst-type LOCAL
  XtablesState state = XtablesState::kNone;
  std::optional<XtablesMark> mark = {};  // -m mark

  // What then: one of these. `jump` is a chain, or ACCEPT, DROP, RETURN.
  std::string jump = {};
  std::optional<XtablesMark> set_mark = {};                   // MARK
  std::optional<std::pair<IpAddr, uint16_t>> translate = {};  // DNAT --to-destination
  bool masquerade = false;                                    // MASQUERADE
};

// As iptables-nft 1.8.9 writes it, in tables of `family`.
net::NftProgram program_of(const XtablesRule& rule, Family family);

// What a rule of table nat says of ports, however it was written: for finding out who has a port.
struct XtablesPorts {
  uint8_t protocol = 0;                    // 0: it says nothing of it
  std::vector<uint16_t> ports = {};        // --dport or --dports
  std::optional<IpAddr> destination = {};  // one address
  std::optional<IpAddr> translated = {};   // DNAT --to-destination
  [[nodiscard]] bool cover(uint8_t other_protocol, uint16_t port) const;
};
XtablesPorts ports_of(const net::NftProgram& program, Family family);

// As `iptables -A <chain>` takes it and `iptables -S` prints it, without the program's name and chain.
std::vector<std::string> arguments_of(const XtablesRule& rule);

}  // namespace cnio::firewall
