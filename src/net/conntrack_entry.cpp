// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "net/conntrack_entry.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <vector>

namespace cnio::net::conntrack {
namespace {

constexpr size_t kMessageSize = 512;  // bytes; an IPv6 entry's needs about 150

std::optional<IpAddr> address_in(nlattr* const* ends, int v4, int v6) {
  const nlattr* found = ends[v4] != nullptr ? ends[v4] : ends[v6];
  return found != nullptr ? std::optional(to_ip(found)) : std::nullopt;
}

uint16_t port_in(const nlattr* attribute) { return attribute != nullptr ? ntohs(nla_get_u16(attribute)) : uint16_t{0}; }

// Fills in one direction, and the protocol, which both tell.
void parse_tuple(nlattr* tuple, Direction& direction, unsigned& protocol) {
  nlattr* parts[CTA_TUPLE_MAX + 1] = {};
  if (tuple == nullptr || nla_parse_nested(parts, CTA_TUPLE_MAX, tuple, nullptr) < 0) return;
  nlattr* ends[CTA_IP_MAX + 1] = {};
  if (parts[CTA_TUPLE_IP] != nullptr && nla_parse_nested(ends, CTA_IP_MAX, parts[CTA_TUPLE_IP], nullptr) >= 0) {
    direction.source = address_in(ends, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
    direction.destination = address_in(ends, CTA_IP_V4_DST, CTA_IP_V6_DST);
  }
  nlattr* ports[CTA_PROTO_MAX + 1] = {};
  if (parts[CTA_TUPLE_PROTO] == nullptr ||
      nla_parse_nested(ports, CTA_PROTO_MAX, parts[CTA_TUPLE_PROTO], nullptr) < 0) {
    return;
  }
  if (ports[CTA_PROTO_NUM] != nullptr) protocol = nla_get_u8(ports[CTA_PROTO_NUM]);
  direction.source_port = port_in(ports[CTA_PROTO_SRC_PORT]);
  direction.destination_port = port_in(ports[CTA_PROTO_DST_PORT]);
}

}  // namespace

MsgPtr make_message(int type, int flags, int family) {
  MsgPtr message(checked(nlmsg_alloc_size(kMessageSize)));
  nlmsghdr* header = checked(nlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, NFNL_SUBSYS_CTNETLINK << 8 | type,
                                       sizeof(nfgenmsg), NLM_F_REQUEST | flags));
  *static_cast<nfgenmsg*>(nlmsg_data(header)) = {static_cast<uint8_t>(family), NFNETLINK_V0, 0};
  return message;
}

std::optional<Connection> parse_message(nlmsghdr& message) {
  nlattr* at[CTA_MAX + 1] = {};
  if (nlmsg_parse(&message, sizeof(nfgenmsg), at, CTA_MAX, nullptr) < 0 || at[CTA_TUPLE_ORIG] == nullptr) {
    return std::nullopt;
  }
  Connection connection;
  parse_tuple(at[CTA_TUPLE_ORIG], connection.original, connection.protocol);
  parse_tuple(at[CTA_TUPLE_REPLY], connection.reply, connection.protocol);
  return connection;
}

Line parse_line(std::string_view text) {
  Line line;
  Connection& connection = line.connection;
  std::vector<IpAddr> sources;
  std::vector<IpAddr> destinations;
  std::vector<uint16_t> ports;  // source and destination, of each direction
  bool zoned = false;
  for (int number = 0; !text.empty(); ++number) {
    const size_t start = text.find_first_not_of(' ');
    if (start == std::string_view::npos) break;
    text.remove_prefix(start);
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    const std::string_view value = word.substr(std::min(word.find('=') + 1, word.size()));
    if (number == 3) (void)std::from_chars(word.data(), word.data() + word.size(), connection.protocol);
    const auto address = IpAddr::parse(value);
    if (word.starts_with("src=") && address) sources.push_back(*address);
    if (word.starts_with("dst=") && address) destinations.push_back(*address);
    uint16_t port = 0;
    if (word.starts_with("sport=") || word.starts_with("dport=")) {
      (void)std::from_chars(value.data(), value.data() + value.size(), port);
      ports.push_back(port);
    }
    zoned = zoned || (word.starts_with("zone") && value != "0");
  }
  ports.resize(4);
  for (Direction* direction : {&connection.original, &connection.reply}) {
    const size_t at = direction == &connection.original ? 0 : 1;
    if (sources.size() > at) direction->source = sources[at];
    if (destinations.size() > at) direction->destination = destinations[at];
    direction->source_port = ports[2 * at];
    direction->destination_port = ports[2 * at + 1];
  }
  line.complete = (connection.protocol == IPPROTO_TCP || connection.protocol == IPPROTO_UDP) && sources.size() == 2 &&
                  destinations.size() == 2 && connection.reply.destination_port != 0 && !zoned;
  return line;
}

void put_tuple(nl_msg* message, const Connection& connection) {
  const IpAddr& source = *connection.original.source;
  const IpAddr& destination = *connection.original.destination;
  nlattr* tuple = checked(nla_nest_start(message, CTA_TUPLE_ORIG));
  nlattr* ends = checked(nla_nest_start(message, CTA_TUPLE_IP));
  const bool v4 = source.is_v4();
  must(nla_put(message, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, static_cast<int>(source.size()), source.data()));
  must(nla_put(message, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, static_cast<int>(destination.size()), destination.data()));
  nla_nest_end(message, ends);
  nlattr* protocol = checked(nla_nest_start(message, CTA_TUPLE_PROTO));
  must(nla_put_u8(message, CTA_PROTO_NUM, static_cast<uint8_t>(connection.protocol)));
  must(nla_put_u16(message, CTA_PROTO_SRC_PORT, htons(connection.original.source_port)));
  must(nla_put_u16(message, CTA_PROTO_DST_PORT, htons(connection.original.destination_port)));
  nla_nest_end(message, protocol);
  nla_nest_end(message, tuple);
}

}  // namespace cnio::net::conntrack
