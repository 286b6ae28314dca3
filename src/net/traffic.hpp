// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/rtnetlink.h>

#include "cnio/base/error.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/qdisc.hpp"

#include "net/nl_ptr.hpp"

// How queueing disciplines and filters are asked for, and told of, in messages of rtnetlink(7).
namespace cnio::net {

// A request about something of this link at this parent.
MsgPtr traffic_message(int type, int flags, IfIndex link, TcHandle parent, TcHandle handle = 0, uint32_t info = 0);

// Does a removal fail because there is nothing to be removed? The kernel says EINVAL where the parent is not there.
bool is_gone(const Error& error);

}  // namespace cnio::net
