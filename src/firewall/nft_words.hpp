// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/nftables/expression.hpp"

// The part of nft's language that conditions of a port map are written in, translated without the nft program:
//   ip|ip6 saddr|daddr, [meta] iif|iifname|oif|oifname, [meta] mark [& mask], tcp|udp|sctp|dccp|th sport|dport,
// each with an optional == or != and a value or { a list }.
namespace cnio::firewall {

// The bytes of the mask of a prefix.
std::string prefix_mask(Family family, unsigned length);

// Is the loaded address one of the network's?
std::vector<net::NftExpression> compare_network(const Cidr& network, bool equal = true);

// What packets have to be like: one of several, which are each a list of steps that all have to hold.
using NftAlternatives = std::vector<std::vector<net::NftExpression>>;

// Conditions one after the other; no words: one alternative without steps. The error says what is not understood; its
// code is 7.
Result<NftAlternatives> parse_nft_words(Family family, const std::vector<std::string>& conditions);

}  // namespace cnio::firewall
