// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/recollection.hpp"

#include <algorithm>

#include "cnio/attachment/identity.hpp"

#include "cnioctl/world/cache.hpp"

namespace cnio::cnioctl {
namespace {

// By what we have recorded of the pair that stands.
Result<Remembered> remember_pair(const Attached& attached, const std::map<int, std::string>& sandboxes) {
  const auto stands = [&](const attachment::RecordedPair& pair) {
    return std::any_of(attached.host_ends.begin(), attached.host_ends.end(),
                       [&](const net::Link& link) { return attachment::is_recorded_end(link, pair); });
  };
  const auto pair = std::find_if(attached.pairs.rbegin(), attached.pairs.rend(), stands);
  if (pair == attached.pairs.rend()) {
    return Error::make(Code::kUnknownContainer, "neither libcni's cache nor a record of ours tells how it was made");
  }
  const std::string netns = sandbox_of(attached, sandboxes);
  if (netns.empty()) return Error::make(Code::kUnknownContainer, "nothing tells where its sandbox is");
  return from_record(*pair, netns);
}

}  // namespace

std::string sandbox_of(const Attached& attached, const std::map<int, std::string>& sandboxes) {
  if (attached.evidence.present == true) return attached.evidence.path;
  for (const net::Link& link : attached.host_ends) {
    const auto known = sandboxes.find(link.peer_namespace.value_or(-1));
    if (known != sandboxes.end()) return known->second;
  }
  return {};
}

Result<Remembered> remember_live(const Attached& attached, const std::map<int, std::string>& sandboxes) {
  if (attached.cache_file.empty()) return remember_pair(attached, sandboxes);
  const auto cached = Cache::read_path(attached.cache_file);
  auto known = cached.ok() ? from_cache(cached.value()) : Result<Remembered>(cached.error());
  if (known.ok()) return known;
  auto recorded = remember_pair(attached, sandboxes);
  return recorded.ok() ? std::move(recorded) : std::move(known);
}

}  // namespace cnio::cnioctl
