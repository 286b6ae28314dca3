// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cnio/firewall/masquerade.hpp"

// What chains and rules of an attachment are called. Hashes, because the kernel limits names to fewer bytes than a
// network, a container and an interface may have together.
namespace cnio::firewall {

// "H1-H2": begins the reference's comments for one attachment.
std::string reference_prefix(const MasqueradeIdentity& who);
// "H1H2", as owner_hash gives it, of what begins like that; empty if it is another.
std::string hash_in_reference_comment(std::string_view comment);

// "att-H1-H2": the attachment's chain in our table. It begins with a letter, since nft could not read it back
// otherwise.
std::string attachment_chain(const MasqueradeIdentity& who);
// Does a chain have such a name, of whatever network?
bool is_attachment_chain(const std::string& chain);
// "H1H2", as owner_hash gives it, of such a name; empty if it is another.
std::string hash_in_attachment_chain(std::string_view chain);

// In the table nat of iptables: where all start, and how the chains that begin there are called.
inline constexpr char kIptablesPostrouting[] = "POSTROUTING";
inline constexpr char kIptablesChainPrefix[] = "CNI-";
// The chain of all interfaces of a container in a network, in the iptables form.
std::string iptables_chain(const MasqueradeIdentity& who);
// The comment of each rule in the iptables form, and how it begins for all containers of a network.
std::string iptables_comment(const MasqueradeIdentity& who);
std::string iptables_comment_prefix(const std::string& network);

// "net: <network>, if: <interface>, id: <container>": who it is, for people. Bytes that would break the output of
// nft are replaced.
std::string readable_identity(const MasqueradeIdentity& who);
// Whom such a text names, if it was not cut.
std::optional<MasqueradeIdentity> parse_readable_identity(std::string_view text);

}  // namespace cnio::firewall
