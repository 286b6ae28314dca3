// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/attachment/record.hpp"
#include "cnio/base/result.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/protocol/request.hpp"

// Whose a host end is: what it is called, what it says, and what is recorded of it.
namespace cnio::attachment {

inline constexpr unsigned kNameAttempts = 3;  // 32 bits each: one more than ever needed, and DEL looks for all
inline constexpr size_t kNameDigits = 8;
inline constexpr size_t kMaxAlias = 255;  // IFALIASZ, without the terminating NUL
inline constexpr size_t kAliasDigits = 16;
inline constexpr std::string_view kAliasMark = "cnio ";  // how each of ours begins

// `prefix` ("veth") and 8 hex digits that follow from the attachment, so that people and DEL find it; `attempt` gives
// others if that name is taken.
std::string host_end_name(const std::string& network, const protocol::Attachment& attachment, const std::string& prefix,
                          unsigned attempt = 0);
// What `ip link` shows as alias of the host end: whose it is, for people and for whoever has no record. At most 255
// bytes; one that would fill that ends in "#" and a hash of it all. It begins with the mark of its network, unless that
// fills it alone.
std::string host_end_alias(const std::string& network, const protocol::Attachment& attachment);
std::string mark_of(const std::string& network);
// The network of which an alias says that it is the attachment's; nothing if it does not say that.
std::optional<std::string> network_in_alias(const std::string& alias, const protocol::Attachment& attachment);
// The same where the attachment is not known: whose an alias says that it is; nothing if it does not say all of it.
std::optional<firewall::RuleOwner> owner_in_alias(const std::string& alias);

// Is it the port of a bridge whose other end, on the host, bears the gateway addresses of a VLAN?
bool is_gateway_port(const net::Link& port, const std::string& bridge);

// Is it the host end of a recorded pair? By its number, which a host gives once; of an ADD that was killed before it
// could write that down, by its name. And it has the MAC address that we drew for it, or else the name, the alias or
// the other end that we gave it.
bool is_recorded_end(const net::Link& link, const RecordedPair& pair);
// That end, if it is still there.
Result<std::optional<net::Link>> find_recorded_end(net::Netlink& host, const RecordedPair& pair);

// The host ends that the attachment has besides `own`, of which the name may be missing: of an earlier life, when its
// container was started again in another namespace, and something keeps the former one alive; or of its life now, if
// `own` should not be.
Result<std::vector<net::Link>> find_former_ends(net::Netlink& host, const std::vector<RecordedPair>& pairs,
                                                const RecordedPair& own);

// Has it any? For an ADD that has failed: looks at all links of the host, too.
Result<bool> has_other_end(net::Netlink& host, const std::vector<RecordedPair>& pairs, const RecordedPair& own);

}  // namespace cnio::attachment
