// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <new>

#include <netlink/msg.h>

// Netlink messages for tests that send or forge them by hand.
namespace cnio::test {

struct FreeMessage {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using MsgPtr = std::unique_ptr<nl_msg, FreeMessage>;

// With room for a page; `type` is RTM_* or NLMSG_*, `flags` NLM_F_*.
inline MsgPtr make_message(int type, int flags = 0) {
  MsgPtr message(nlmsg_alloc_simple(type, flags));
  if (message == nullptr) throw std::bad_alloc();
  return message;
}

}  // namespace cnio::test
