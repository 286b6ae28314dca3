// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/net/nftables/nftables.hpp"
#include "cnio/protocol/request.hpp"

// The chains of the spoof check, as the reference names them.
namespace cnio::firewall {

// NOLINTBEGIN(bugprone-dynamic-static-initializers): declared here, made in one place
extern const net::NftTable kSpoofCheckTable;
extern const net::NftBaseChain kPrerouting;
extern const std::string kChainPrefix;  // of an attachment's first chain
extern const std::string kMacSuffix;    // of its second, which has the first's name before it
// NOLINTEND(bugprone-dynamic-static-initializers)

// Whoever else works in this table made what is there without this comment, and keeps it.
inline constexpr std::string_view kOurs = "made for the spoof check of the cnio CNI plugins, goes with its last rule";

// An attachment's first chain, and the comment of its rules. The reference leaves the network out.
std::string port_chain(const protocol::Attachment& attachment);
std::string comment_of(const protocol::Attachment& attachment);
// With the second.
std::vector<std::string> chains_of(const std::string& chain);

bool is_jump_to(const net::NftRule& rule, const std::string& chain);
// The base chain's rules that lead there.
Result<std::vector<net::NftRule>> entries_to(net::NftConnection& nft, const std::string& chain);

// The chains of an attachment and the one that leads to them. Its rules are one for each attachment, and not looked at.
Result<net::NftView> view_attachment(net::NftConnection& nft, const std::string& chain);

// Removes an attachment's chains, or, if somebody else's rule leads to them, what they do.
Status remove_spoof_check_chains(net::NftConnection& nft, const std::string& chain);

}  // namespace cnio::firewall
