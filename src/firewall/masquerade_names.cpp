// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "firewall/masquerade_names.hpp"

#include "cnio/base/sha512.hpp"
#include "cnio/net/nftables/nftables.hpp"

namespace cnio::firewall {
namespace {

constexpr size_t kIptablesChainDigits = 24;
constexpr size_t kIptablesCommentLimit = 255;         // struct xt_comment_info
constexpr size_t kHashes = 2 * kOwnerHashDigits + 1;  // "H1-H2"
const std::string kAttachment = "att-";
// In between of what readable_identity says.
constexpr std::string_view kNetwork = "net: ";
constexpr std::string_view kIfname = ", if: ";
constexpr std::string_view kContainer = ", id: ";

}  // namespace

std::string reference_prefix(const MasqueradeIdentity& who) {
  return network_hash(who.network) + "-" + attachment_hash(who.attachment);
}

std::string hash_in_reference_comment(std::string_view comment) {
  if (comment.size() < kHashes || comment[kOwnerHashDigits] != '-') return {};
  return std::string(comment.substr(0, kHashes)).erase(kOwnerHashDigits, 1);
}

std::string attachment_chain(const MasqueradeIdentity& who) { return kAttachment + reference_prefix(who); }

bool is_attachment_chain(const std::string& chain) { return chain.starts_with(kAttachment); }

std::string hash_in_attachment_chain(std::string_view chain) {
  if (!chain.starts_with(kAttachment) || chain.size() != kAttachment.size() + kHashes) return {};
  return hash_in_reference_comment(chain.substr(kAttachment.size()));
}

std::string iptables_chain(const MasqueradeIdentity& who) {
  return kIptablesChainPrefix + sha512_hex(who.network + who.attachment.container_id, kIptablesChainDigits);
}

std::string iptables_comment_prefix(const std::string& network) { return "name: \"" + network + "\" id: \""; }

std::string iptables_comment(const MasqueradeIdentity& who) {
  return (iptables_comment_prefix(who.network) + who.attachment.container_id + "\"").substr(0, kIptablesCommentLimit);
}

std::string readable_identity(const MasqueradeIdentity& who) {
  const std::string text =
      std::string(kNetwork).append(who.network).append(kIfname).append(who.attachment.ifname).append(kContainer) +
      who.attachment.container_id;
  return printable(text).substr(0, net::kNftCommentLimit);
}

// A network's name has no comma that the reference would take, and a container's no blank.
std::optional<MasqueradeIdentity> parse_readable_identity(std::string_view text) {
  const size_t container = text.rfind(kContainer);
  const size_t interface = text.substr(0, container).rfind(kIfname);
  if (!text.starts_with(kNetwork) || container == text.npos || interface == text.npos) return std::nullopt;
  const auto between = [&](size_t begin, size_t end) { return std::string(text.substr(begin, end - begin)); };
  return MasqueradeIdentity{
      between(kNetwork.size(), interface),
      {between(container + kContainer.size(), text.size()), between(interface + kIfname.size(), container)}};
}

}  // namespace cnio::firewall
