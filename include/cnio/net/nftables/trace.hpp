// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/nftables/nftables.hpp"

// What nf_tables rules may do with a packet of which not everything is known: for saying what surely happens to it.
namespace cnio::net {

// The first packet of a TCP or UDP connection on its way through the host, tracked and not translated.
struct NftPacket {
  Family family = Family::kIpv4;
  std::string input_interface;
  IfIndex input_index = IfIndex::kNone;   // kNone: not known
  std::string output_interface;           // empty: not known
  IfIndex output_index = IfIndex::kNone;  // kNone: not known
  // It comes from one of these, all of `family`, and goes to none of the networks that they are in: "10.1.0.2/24" is an
  // address and its network, "10.1.0.0/24" all addresses of that. None: it may come from anywhere.
  std::vector<Cidr> sources;
};

// Something that a rule may do with the packet.
struct NftStep {
  enum class Verdict {
    kAccept,
    kDrop,
    kReturn,
    kJump,     // `target` is a chain
    kGoto,     // `target` is a chain
    kUnknown,  // something that may let it pass
  };
  Verdict verdict = Verdict::kUnknown;
  std::string target;
  bool surely = false;  // it depends on nothing that is not known
};

// The base chains at a hook (NF_INET_*) of tables that are not dormant: of `ip`, `ip6`, `inet` and `bridge` tables.
Result<std::vector<NftTableChain>> list_hooked_chains(NftConnection& nft, uint32_t hook);

// The rules of one table, which stays as it is while they are read, or almost so: nothing of this is a snapshot.
class NftTracer {
 public:
  NftTracer(NftConnection& nft, NftTable table, NftPacket packet);
  NftTracer(NftTracer&&) noexcept;
  ~NftTracer();

  // What the chain's rules do with the packet, in order, without following jumps. Rules that surely do not match, or
  // only count, log and the like, do nothing. Errors: code 100, 11.
  Result<std::vector<NftStep>> trace(const std::string& chain);

 private:
  class Rules;
  std::unique_ptr<Rules> rules_;
};

}  // namespace cnio::net
