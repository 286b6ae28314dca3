// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>
#include <string>

namespace cnio::test {

/// Everything as IPv6: a dual-stack socket sees IPv4 peers as mapped addresses. Empty: any address. Throws if it is
/// none.
sockaddr_in6 socket_address(const std::string& address, int port);
/// The peer's address in its own family's form.
std::string text_of(const sockaddr_in6& peer);

}  // namespace cnio::test
