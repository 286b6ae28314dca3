// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/ipam/range_set.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace cnio::ipam {

namespace {

constexpr uint64_t kEndless = UINT64_MAX;
constexpr size_t kHalf = 8;

uint64_t half_of(const IpAddr& addr, size_t begin, size_t end) {
  uint64_t value = 0;
  for (size_t i = begin; i < end; ++i) value = (value << 8U) | addr.data()[i];
  return value;
}

// Both included.
uint64_t count_between(const IpAddr& first, const IpAddr& last) {
  if (first.is_v4()) return half_of(last, 0, first.size()) - half_of(first, 0, first.size()) + 1;
  const uint64_t low_first = half_of(first, kHalf, first.size());
  const uint64_t low_last = half_of(last, kHalf, last.size());
  const uint64_t borrow = low_last < low_first ? 1 : 0;
  const uint64_t low = low_last - low_first;
  return half_of(last, 0, kHalf) - half_of(first, 0, kHalf) != borrow || low == kEndless ? kEndless : low + 1;
}

}  // namespace

std::string Range::to_string() const {
  const Range all = default_range(subnet);
  if (first <= all.first && last >= all.last) return subnet.to_string();
  if (first == last) return first.to_string();
  return first.to_string() + "-" + last.to_string();
}

Range default_range(const Cidr& subnet) {
  const IpAddr first = subnet.addr.next();
  const IpAddr last = subnet.addr.is_v4() ? subnet.last().previous() : subnet.last();
  return {subnet, first, last, first};
}

const Range* RangeSet::find(const IpAddr& addr) const {
  const auto found =
      std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& range) { return range.contains(addr); });
  return found == ranges_.end() ? nullptr : &*found;
}

bool RangeSet::overlaps(const RangeSet& other) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& mine) {
    return std::any_of(other.ranges_.begin(), other.ranges_.end(),
                       [&](const Range& theirs) { return mine.overlaps(theirs); });
  });
}

RangeSet RangeSet::excluding(const std::vector<Cidr>& networks) const {
  RangeSet out(ranges_);
  std::vector<Block> blocks = excluded_;
  for (const Cidr& network : networks) {
    const Block block{network.network().addr, network.last()};
    const bool concerns_us = std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
      return block.first <= range.last && range.first <= block.last;
    });
    if (concerns_us) blocks.push_back(block);
  }
  std::sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.first < b.first; });
  for (const Block& block : blocks) {
    if (out.excluded_.empty() || out.excluded_.back().last < block.first) {
      out.excluded_.push_back(block);
    } else {
      out.excluded_.back().last = std::max(out.excluded_.back().last, block.last);
    }
  }
  return out;
}

const RangeSet::Block* RangeSet::excluded_block(const IpAddr& addr) const {
  const auto after = std::upper_bound(excluded_.begin(), excluded_.end(), addr,
                                      [](const IpAddr& value, const Block& block) { return value < block.first; });
  if (after == excluded_.begin()) return nullptr;
  const Block& before = *std::prev(after);
  return addr <= before.last ? &before : nullptr;
}

const char* RangeSet::why_withheld(const IpAddr& addr) const {
  if (excludes(addr)) return "is excluded";
  for (const Range& range : ranges_) {
    if (addr == range.gateway) return "is the gateway";
    if (addr == range.subnet.addr) return "is the address of the network itself";
    if (addr.is_v4() && addr == range.subnet.last()) return "is the broadcast address";
  }
  return nullptr;
}

uint64_t RangeSet::size() const {
  uint64_t size = 0;
  std::set<IpAddr> single;  // of each subnet those that are nobody's
  for (const Range& range : ranges_) {
    uint64_t count = count_between(range.first, range.last);
    for (const Block& block : excluded_) {
      const IpAddr first = std::max(block.first, range.first);
      const IpAddr last = std::min(block.last, range.last);
      if (first <= last && count != kEndless) count -= count_between(first, last);
    }
    size = count > kEndless - size ? kEndless : size + count;
    single.insert({range.gateway, range.subnet.addr});
    if (range.subnet.addr.is_v4()) single.insert(range.subnet.last());
  }
  for (const IpAddr& addr : single) {
    if (size != kEndless && find(addr) != nullptr && !excludes(addr)) --size;
  }
  return size;
}

std::optional<IpAddr> RangeSet::next_free(const std::optional<IpAddr>& last_given,
                                          const std::function<bool(const IpAddr&)>& taken) const {
  const auto search = [&](IpAddr addr, const IpAddr& last) -> std::optional<IpAddr> {
    for (;; addr = addr.next()) {
      if (const Block* const block = excluded_block(addr)) {
        if (block->last >= last) return std::nullopt;
        addr = block->last;
        continue;
      }
      if (why_withheld(addr) == nullptr && !taken(addr)) return addr;
      if (addr == last) return std::nullopt;
    }
  };
  const Range* const start = last_given ? find(*last_given) : nullptr;
  const auto start_index = start != nullptr ? static_cast<size_t>(start - ranges_.data()) : 0;
  if (start != nullptr && *last_given != start->last) {
    if (const auto found = search(last_given->next(), start->last)) return found;
  }
  for (size_t i = start != nullptr ? 1 : 0; i < ranges_.size(); ++i) {
    const Range& range = ranges_[(start_index + i) % ranges_.size()];
    if (const auto found = search(range.first, range.last)) return found;
  }
  return start != nullptr ? search(start->first, *last_given) : std::nullopt;
}

std::string RangeSet::to_string() const {
  std::string text;
  for (const Range& range : ranges_) {
    if (!text.empty()) text += ", ";
    text += range.to_string();
  }
  return text;
}

}  // namespace cnio::ipam
