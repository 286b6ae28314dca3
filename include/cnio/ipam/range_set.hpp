// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"

namespace cnio::ipam {

// The addresses `first` to `last`, both included, of a subnet. All four members are of one family, and first <= last.
struct Range {
  Cidr subnet;  // without host bits
  IpAddr first;
  IpAddr last;
  IpAddr gateway;

  [[nodiscard]] bool contains(const IpAddr& addr) const { return first <= addr && addr <= last; }
  [[nodiscard]] bool overlaps(const Range& other) const { return first <= other.last && other.first <= last; }
  // "10.1.0.0/24" if it is all of the subnet that can be used, else "10.1.0.5-10.1.0.9" or "10.1.0.5".
  [[nodiscard]] std::string to_string() const;
};

// What a subnet offers when a configuration says nothing else: the address after the network's own as first address
// and as gateway, and the last one, which in IPv4 is the one before the broadcast address.
// REQUIRES: a prefix of at most /30 or /126.
Range default_range(const Cidr& subnet);

// Ranges of one family that do not overlap and together yield one address to an attachment, in the order given.
class RangeSet {
 public:
  // REQUIRES: at least one range.
  explicit RangeSet(std::vector<Range> ranges) : ranges_(std::move(ranges)) {}

  [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
  [[nodiscard]] Family family() const { return ranges_.front().subnet.family(); }
  // The range that the address lies in, or null.
  [[nodiscard]] const Range* find(const IpAddr& addr) const;
  [[nodiscard]] bool overlaps(const RangeSet& other) const;
  // The same ranges without the addresses of these networks, of which those outside the ranges mean nothing. An
  // excluded address is still one of the set (`find`): who holds it keeps it.
  [[nodiscard]] RangeSet excluding(const std::vector<Cidr>& networks) const;
  [[nodiscard]] bool excludes(const IpAddr& addr) const { return excluded_block(addr) != nullptr; }
  // Does it exclude anything at all?
  [[nodiscard]] bool has_excluded() const { return !excluded_.empty(); }
  // Why an address of the set is never given to an attachment ("is the gateway"), or null if it may be: excluded ones,
  // gateways, the network's own address (subnet-router anycast in IPv6) and the IPv4 broadcast address.
  [[nodiscard]] const char* why_withheld(const IpAddr& addr) const;
  [[nodiscard]] bool gives(const IpAddr& addr) const { return find(addr) != nullptr && why_withheld(addr) == nullptr; }

  // How many addresses it gives; UINT64_MAX for as many or more.
  [[nodiscard]] uint64_t size() const;

  // The first free address after `last_given`, in round robin: through the ranges in order, around the end, and
  // `last_given` itself last. Without it, or when it is not of this set, from the start of the first range.
  // Nothing if all are taken. Looks at one address more than are taken or withheld, however large the ranges and what
  // is excluded of them.
  [[nodiscard]] std::optional<IpAddr> next_free(const std::optional<IpAddr>& last_given,
                                                const std::function<bool(const IpAddr&)>& taken) const;

  // The ranges, joined by ", ".
  [[nodiscard]] std::string to_string() const;

 private:
  // Addresses that follow each other, both ends included.
  struct Block {
    IpAddr first;
    IpAddr last;
  };

  // The excluded block that the address lies in, or null.
  [[nodiscard]] const Block* excluded_block(const IpAddr& addr) const;

  std::vector<Range> ranges_;
  std::vector<Block> excluded_;  // in order, apart from each other, each within reach of a range
};

}  // namespace cnio::ipam
