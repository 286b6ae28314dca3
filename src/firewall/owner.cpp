// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/owner.hpp"

#include "cnio/base/sha512.hpp"
#include "cnio/net/nftables/nftables.hpp"

namespace cnio::firewall {
namespace {

constexpr std::string_view kMark = "cnio ";
constexpr size_t kTextAt = kMark.size() + 2 * kOwnerHashDigits + 1;

bool is_owners(std::string_view comment) {
  return comment.starts_with(kMark) && comment.size() >= kTextAt && comment[kTextAt - 1] == ' ';
}

}  // namespace

std::string RuleOwner::text() const { return printable(network + "/" + attachment.text()); }

// Neither container nor interface can have a slash.
std::optional<RuleOwner> owner_in_text(std::string_view text) {
  const size_t second = text.rfind('/');
  const size_t first = second == text.npos || second == 0 ? text.npos : text.rfind('/', second - 1);
  if (first == text.npos) return std::nullopt;
  return RuleOwner{std::string(text.substr(0, first)),
                   {std::string(text.substr(first + 1, second - first - 1)), std::string(text.substr(second + 1))}};
}

std::string printable(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~' || c == '"' || c == '\\') c = '?';
  }
  return text;
}

std::string network_hash(const std::string& network) { return sha512_hex(network, kOwnerHashDigits); }

// Neither can have a colon.
std::string attachment_hash(const protocol::Attachment& attachment) {
  return sha512_hex(attachment.ifname + ":" + attachment.container_id, kOwnerHashDigits);
}

std::string owner_hash(const RuleOwner& owner) {
  return network_hash(owner.network) + attachment_hash(owner.attachment);
}

std::string_view hash_in_comment(std::string_view comment) {
  return is_owners(comment) ? comment.substr(kMark.size(), 2 * kOwnerHashDigits) : std::string_view();
}

std::string owner_comment(const RuleOwner& owner) {
  std::string comment(kMark);
  comment.append(owner_hash(owner)).append(" ");
  return comment.append(owner.text()).substr(0, net::kNftCommentLimit);
}

bool belongs_to(std::string_view comment, const RuleOwner& owner) {
  return hash_in_comment(comment) == owner_hash(owner);
}

StaleOwners::StaleOwners(const std::string& network, const std::vector<protocol::Attachment>& valid)
    : network_(network_hash(network)) {
  for (const protocol::Attachment& attachment : valid) valid_.insert(attachment_hash(attachment));
}

bool StaleOwners::contain_hash(std::string_view hash) const {
  return hash.starts_with(network_) && !valid_.contains(hash.substr(kOwnerHashDigits));
}

std::string_view owner_text(std::string_view comment) {
  return is_owners(comment) ? comment.substr(kTextAt) : std::string_view();
}

}  // namespace cnio::firewall
