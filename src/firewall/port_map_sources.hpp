// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/net/nftables/nftables.hpp"

// Whose connections to a pod's ports are masqueraded. One set for each length of a prefix says it for all pods, and one
// rule asks it, so that ADD brings elements without a verdict: the kernel walks along all that a table leads to
// whenever a rule or a verdict is added, which takes the longer the more pods there are.
namespace cnio::firewall {

struct MasqueradedSource {
  Cidr network;
  IpAddr pod;

  auto operator<=>(const MasqueradedSource&) const = default;
  // "10.88.0.0/24 -> 10.88.0.11"
  [[nodiscard]] std::string text() const;
  static std::optional<MasqueradedSource> parse(std::string_view text);
  // In the set of its prefix: pod and network.
  [[nodiscard]] std::string key() const;
};

// Only packets of those that were led to a pod go on.
std::vector<net::NftExpression> of_led_connections();

struct SourcePrefix {
  Family family;
  unsigned length;

  auto operator<=>(const SourcePrefix&) const = default;
  static SourcePrefix of(const Cidr& network) { return {network.family(), network.prefix}; }
  // Its set: "from4_24".
  [[nodiscard]] std::string set() const;
  // "IPv4 /24", the comment of its rule.
  [[nodiscard]] std::string text() const;
  static std::optional<SourcePrefix> parse(std::string_view text);
  // What masquerades those of connections that were led to a pod.
  [[nodiscard]] net::NftProgram rule() const;
};

}  // namespace cnio::firewall
