// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/spoof_check_chains.hpp"

#include "cnio/base/sha512.hpp"

namespace cnio::firewall {

const net::NftTable kSpoofCheckTable = {net::NftFamily::kBridge, "nat"};
const net::NftBaseChain kPrerouting = {"PREROUTING", net::NftBaseChain::Hook::kBridgePrerouting, -300 /* dstnat */};
const std::string kChainPrefix = "cni-br-iface-";
const std::string kMacSuffix = "-mac";

namespace {

using protocol::Attachment;

// The kernel takes 255 bytes for a chain's name: what would be longer, or read like the name of a second chain, is
// hashed.
constexpr size_t kMaxReference = 230;

// What chains and comments are called after.
std::string reference_of(const Attachment& attachment) {
  std::string text = attachment.container_id + "-" + attachment.ifname;
  const bool plain = text.size() <= kMaxReference && !attachment.ifname.ends_with(kMacSuffix);
  return plain ? text : sha512_hex(text, 64);
}

}  // namespace

std::string port_chain(const Attachment& attachment) { return kChainPrefix + reference_of(attachment); }

std::string comment_of(const Attachment& attachment) {
  return ("macspoofchk-" + reference_of(attachment)).substr(0, net::kNftCommentLimit);
}

std::vector<std::string> chains_of(const std::string& chain) { return {chain, chain + kMacSuffix}; }

bool is_jump_to(const net::NftRule& rule, const std::string& chain) {
  return rule.action == net::NftRule::Action::kJump && rule.target == chain;
}

Result<std::vector<net::NftRule>> entries_to(net::NftConnection& nft, const std::string& chain) {
  CNIO_LET(std::vector<net::NftRule> rules, nft.list_rules(kSpoofCheckTable, kPrerouting.name));
  std::erase_if(rules, [&](const net::NftRule& rule) { return !is_jump_to(rule, chain); });
  return rules;
}

Result<net::NftView> view_attachment(net::NftConnection& nft, const std::string& chain) {
  return nft.view(kSpoofCheckTable,
                  {.chains = {kPrerouting.name, chain, chain + kMacSuffix}, .maps = {}, .rules_of = chain});
}

}  // namespace cnio::firewall
