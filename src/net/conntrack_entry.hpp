// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cnio/base/ip.hpp"

#include "net/nl_ptr.hpp"

struct nlmsghdr;

// Tracked connections, as the kernel tells them: by netlink (linux/netfilter/nfnetlink_conntrack.h), and as text.
namespace cnio::net::conntrack {

// One direction of a connection.
struct Direction {
  std::optional<IpAddr> source;
  std::optional<IpAddr> destination;
  uint16_t source_port = 0;  // of protocols that have ports
  uint16_t destination_port = 0;
};

struct Connection {
  unsigned protocol = 0;
  Direction original;
  Direction reply;
};

// A message of NFNL_SUBSYS_CTNETLINK.
MsgPtr make_message(int type, int flags, int family);
// Nothing if it is no connection.
std::optional<Connection> parse_message(nlmsghdr& message);

// A line of the text, for example of a TCP connection:
// "ipv4     2 tcp      6 117 TIME_WAIT src=10.1.0.2 dst=10.9.0.1 sport=33 dport=80 src=10.9.0.1 ... zone=0 use=2"
struct Line {
  Connection connection;
  bool complete = false;  // all that it takes to name it to the kernel
};
Line parse_line(std::string_view text);

// Puts what names a complete connection into a message: its first direction.
void put_tuple(nl_msg* message, const Connection& connection);

}  // namespace cnio::net::conntrack
