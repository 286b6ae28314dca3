// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/feature/range_set.hpp"

#include <algorithm>

namespace cnio::feature {

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

const char* RangeSet::why_withheld(const IpAddr& addr) const {
  for (const Range& range : ranges_) {
    if (addr == range.gateway) return "is the gateway";
    if (addr == range.subnet.addr) return "is the address of the network itself";
    if (addr.is_v4() && addr == range.subnet.last()) return "is the broadcast address";
  }
  return nullptr;
}

std::optional<IpAddr> RangeSet::next_free(const std::optional<IpAddr>& last_given,
                                          const std::function<bool(const IpAddr&)>& taken) const {
  const auto search = [&](IpAddr addr, const IpAddr& last) -> std::optional<IpAddr> {
    for (;; addr = addr.next()) {
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

}  // namespace cnio::feature
