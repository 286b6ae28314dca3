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

std::string reference_network_prefix(const std::string& network) { return network_hash(network) + "-"; }

std::string reference_prefix(const MasqueradeIdentity& who) {
  return reference_network_prefix(who.network) + attachment_hash(who.attachment);
}

std::string attachment_chain(const MasqueradeIdentity& who) { return kAttachment + reference_prefix(who); }

bool is_attachment_chain(const std::string& chain) { return chain.starts_with(kAttachment); }

std::string attachment_chain_prefix(const std::string& network) {
  return kAttachment + reference_network_prefix(network);
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
