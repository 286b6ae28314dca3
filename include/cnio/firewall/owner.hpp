// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/protocol/request.hpp"

// Whose a rule, a chain or an element of ours is. It says so itself, so that DEL and GC need neither configuration nor
// result, and nobody takes away what is another's: a container may have several interfaces, and two networks may have
// containers of the same name.
namespace cnio::firewall {

struct RuleOwner {
  std::string network;
  protocol::Attachment attachment;

  auto operator<=>(const RuleOwner&) const = default;
  // "<network>/<container>/<interface>", for people.
  [[nodiscard]] std::string text() const;
};
// Whom such a text names; nothing if it is none. It may have been cut, or made printable: the hash beside it tells.
std::optional<RuleOwner> owner_in_text(std::string_view text);

// Bytes that would break the output of nft, or its reading, are replaced.
std::string printable(std::string text);

// The kernel limits names and comments to fewer bytes than a network, a container and an interface may have together.
inline constexpr size_t kOwnerHashDigits = 16;
// The two parts that say which network and which attachment it is: hex digits.
std::string network_hash(const std::string& network);
std::string attachment_hash(const protocol::Attachment& attachment);

// "cnio <network's hash><attachment's hash> <text>", at most 128 bytes: the comment of each rule and element. The text
// is cut where it does not fit, and does not count.
std::string owner_comment(const RuleOwner& owner);

// Both hashes, one after the other: for names.
std::string owner_hash(const RuleOwner& owner);
// The same of a comment; empty if it is no such comment.
std::string_view hash_in_comment(std::string_view comment);

// Exactly this one's, for DEL.
bool belongs_to(std::string_view comment, const RuleOwner& owner);

// Of this network, and of none of its attachments that are valid, for GC.
class StaleOwners {
 public:
  StaleOwners(const std::string& network, const std::vector<protocol::Attachment>& valid);
  [[nodiscard]] bool contain(std::string_view comment) const { return contain_hash(hash_in_comment(comment)); }
  // As owner_hash gives it, for what has it in a name. Of an empty one nobody knows whose it is.
  [[nodiscard]] bool contain_hash(std::string_view hash) const;

 private:
  std::string network_;                       // its hash
  std::set<std::string, std::less<>> valid_;  // the hashes of the attachments
};

// The text of an owner's comment, for messages that name the holder; empty if it is no such comment.
std::string_view owner_text(std::string_view comment);

}  // namespace cnio::firewall
