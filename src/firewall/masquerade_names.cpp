// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/masquerade_names.hpp"

#include "cnio/base/sha512.hpp"
#include "cnio/net/nftables/nftables.hpp"

namespace cnio::firewall {
namespace {

constexpr size_t kIptablesChainDigits = 24;
constexpr size_t kIptablesCommentLimit = 255;  // struct xt_comment_info
const std::string kAttachment = "att-";

}  // namespace

std::string reference_prefix(const MasqueradeIdentity& who) {
  return network_hash(who.network) + "-" + attachment_hash(who.attachment);
}

std::string hash_in_reference_comment(std::string_view comment) {
  constexpr size_t kSize = 2 * kOwnerHashDigits + 1;
  if (comment.size() < kSize || comment[kOwnerHashDigits] != '-') return {};
  return std::string(comment.substr(0, kSize)).erase(kOwnerHashDigits, 1);
}

std::string attachment_chain(const MasqueradeIdentity& who) { return kAttachment + reference_prefix(who); }

bool is_attachment_chain(const std::string& chain) { return chain.starts_with(kAttachment); }

std::string hash_in_attachment_chain(std::string_view chain) {
  if (!chain.starts_with(kAttachment)) return {};
  return hash_in_reference_comment(chain.substr(kAttachment.size()));
}

std::string iptables_chain(const MasqueradeIdentity& who) {
  return "CNI-" + sha512_hex(who.network + who.attachment.container_id, kIptablesChainDigits);
}

std::string iptables_comment_prefix(const std::string& network) { return "name: \"" + network + "\" id: \""; }

std::string iptables_comment(const MasqueradeIdentity& who) {
  return (iptables_comment_prefix(who.network) + who.attachment.container_id + "\"").substr(0, kIptablesCommentLimit);
}

std::string readable_identity(const MasqueradeIdentity& who) {
  const std::string text =
      "net: " + who.network + ", if: " + who.attachment.ifname + ", id: " + who.attachment.container_id;
  return printable(text).substr(0, net::kNftCommentLimit);
}

}  // namespace cnio::firewall
