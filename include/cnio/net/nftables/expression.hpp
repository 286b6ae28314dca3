// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"

// Rules as the kernel has them: programs of small steps over registers (linux/netfilter/nf_tables.h, NFTA_*). For what
// NftRule cannot say: addresses out of maps, ports, marks, and the matches of x_tables that iptables writes.
namespace cnio::net {

// One step, in the form of its netlink message.
struct NftExpression {
  std::string name;        // "payload"
  std::string attributes;  // the content of NFTA_EXPR_DATA, without flags on attributes

  // Is `told`, as the kernel tells it, this one, as it was written? What only newer kernels tell counts as equal where
  // it says nothing (zero), and so do the numbers of a counter.
  [[nodiscard]] bool same_effect(const NftExpression& told) const;
  bool operator==(const NftExpression&) const = default;
};

struct NftProgram {
  std::vector<NftExpression> steps;
  // IPPROTO_* that the steps before have made sure of, for matches of x_tables that are for some protocols only. The
  // kernel does not tell it.
  uint8_t xtables_protocol = 0;

  [[nodiscard]] bool same_effect(const NftProgram& told) const;
  // Where it leads: the chain of its jump or goto; empty if there is none.
  [[nodiscard]] std::string target() const;
  // The one by which its packets come in, if that is the first thing it asks for; empty: any.
  [[nodiscard]] std::string input_interface() const;
};

// A rule read back.
struct NftProgramRule {
  std::string chain;
  uint64_t handle = 0;
  NftProgram program;
  std::string comment;  // that of nft, or of iptables' comment match
  std::string note;     // see NftBatch::append_noted
};

// The steps. A register is named by the number of its first four bytes, 0 to 15: a concatenation lies in several, each
// part padded to four bytes.
// The content of one of a list of attributes, NFTA_*; empty if it is not there.
std::string_view find_attribute(std::string_view attributes, int type);

namespace expr {

std::string bytes_of(const IpAddr& address);
std::string bytes_of_port(uint16_t port);  // as in a packet
std::string bytes_of_u32(uint32_t value);  // as the host has it, for marks and the like
// IFNAMSIZ bytes, as the kernel compares names.
std::string bytes_of_interface(std::string_view name);

// NFT_META_*.
NftExpression load_meta(uint32_t key, unsigned at = 0);
NftExpression set_meta(uint32_t key, unsigned at = 0);
// NFT_PAYLOAD_*, in bytes.
NftExpression load_payload(uint32_t header, uint32_t offset, uint32_t length, unsigned at = 0);
NftExpression load_source(Family family, unsigned at = 0);
NftExpression load_destination(Family family, unsigned at = 0);
NftExpression load_destination_port(unsigned at = 0);
// NFT_CT_*.
NftExpression load_tracking(uint32_t key, unsigned at = 0);
// RTN_* of the destination address: RTN_LOCAL is this host's.
NftExpression load_destination_type(unsigned at = 0);
// register = register & mask ^ flip; `flip` empty: zero.
NftExpression mask(std::string_view mask, std::string_view flip = {}, unsigned at = 0);
NftExpression compare(std::string_view value, unsigned at = 0, bool equal = true);
// Packets of the family.
std::vector<NftExpression> of_family(Family family);
// From `first` to `last`, as numbers in network byte order.
NftExpression in_range(std::string_view first, std::string_view last, unsigned at = 0);
NftExpression look_up(std::string_view set, unsigned at = 0, bool negated = false);
NftExpression map_to(std::string_view map, unsigned from, unsigned to);
NftExpression map_to_verdict(std::string_view map, unsigned from = 0);
NftExpression set_immediate(std::string_view value, unsigned at = 0);
// NF_ACCEPT, NF_DROP, NFT_RETURN; NFT_JUMP and NFT_GOTO to a chain.
NftExpression verdict(int code, std::string_view chain = {});
NftExpression dnat(Family family, unsigned address_at, std::optional<unsigned> port_at);
NftExpression masquerade();
NftExpression counter();
// A match or target of x_tables; `info` is its own structure.
NftExpression match(std::string_view name, uint32_t revision, std::string_view info);
NftExpression target(std::string_view name, uint32_t revision, std::string_view info);

}  // namespace expr
}  // namespace cnio::net
