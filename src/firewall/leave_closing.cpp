// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/leave_closing.hpp"

#include "cnio/base/caretaker.hpp"
#include "cnio/net/netns.hpp"

namespace cnio::firewall {

void leave_closing(net::NftConnection& nft) {
  if (!nft.closes_slowly()) return;
  const auto number = net::Namespace::own_number();
  const auto crowd = number.ok() ? Crowd::join(number.value()) : std::nullopt;
  // Without it we wait ourselves.
  (void)Caretaker::start({{}, {nft.netfilter().fd()}}, crowd ? &*crowd : nullptr, [] { return true; });
}

}  // namespace cnio::firewall
