// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <linux/rtnetlink.h>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/error.hpp"
#include "cnio/net/link/link.hpp"

#include "net/nl_ptr.hpp"

// How links are asked for, and told of, in messages of rtnetlink(7).
namespace cnio::net {

int raw(IfIndex index);

// A request about one link, by index or, if that is none, by name.
MsgPtr link_message(int type, int flags, const ifinfomsg& info);
void put_text(nl_msg* message, int attribute, const std::string& text);
void put_alias(nl_msg* message, const std::string& alias);
// None that the kernel would make by itself. Error: errno EAFNOSUPPORT without IPv6, in the kernel or on this link (its
// MTU may be too small).
void put_no_ipv6_address(nl_msg* message);

// Nothing if it is about no link, or about one without a name.
std::optional<Link> parse_link(nlmsghdr& header);

// Sends a dump of links and takes those that are wanted: old kernels ignore the filters of a request.
Result<std::vector<Link>> collect_links(Netlink& route, nl_msg* message,
                                        const std::function<bool(const Link&)>& wanted);

// Of a link that is there.
Status delete_link(Netlink& route, const Link& link);
// Does a request fail because there is no such link?
bool is_absent(const Error& error);

}  // namespace cnio::net
