// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/owner.hpp"

#include <optional>

#include "cnio/base/sha512.hpp"
#include "cnio/net/nftables/nftables.hpp"

namespace cnio::firewall {
namespace {

constexpr std::string_view kMark = "cnio ";
constexpr size_t kTextAt = kMark.size() + 2 * kOwnerHashDigits + 1;

struct Parsed {
  std::string_view network;  // hashes
  std::string_view attachment;
  std::string_view text;
};

std::optional<Parsed> parse(std::string_view comment) {
  if (!comment.starts_with(kMark) || comment.size() < kTextAt || comment[kTextAt - 1] != ' ') return std::nullopt;
  return Parsed{comment.substr(kMark.size(), kOwnerHashDigits),
                comment.substr(kMark.size() + kOwnerHashDigits, kOwnerHashDigits), comment.substr(kTextAt)};
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
  return parse(comment) ? comment.substr(kMark.size(), 2 * kOwnerHashDigits) : std::string_view();
}

std::string owner_comment(const RuleOwner& owner) {
  std::string comment(kMark);
  comment.append(owner_hash(owner)).append(" ");
  return comment.append(owner.text()).substr(0, net::kNftCommentLimit);
}

bool belongs_to(std::string_view comment, const RuleOwner& owner) {
  return parse(comment) && hash_in_comment(comment) == owner_hash(owner);
}

StaleOwners::StaleOwners(const std::string& network, const std::vector<protocol::Attachment>& valid)
    : network_(network_hash(network)) {
  for (const protocol::Attachment& attachment : valid) valid_.insert(attachment_hash(attachment));
}

bool StaleOwners::contain(std::string_view comment) const {
  const auto parsed = parse(comment);
  return parsed && parsed->network == network_ && !valid_.contains(std::string(parsed->attachment));
}

std::string_view owner_text(std::string_view comment) {
  const auto parsed = parse(comment);
  return parsed ? parsed->text : std::string_view();
}

}  // namespace cnio::firewall
