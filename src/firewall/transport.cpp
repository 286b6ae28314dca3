// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/firewall/transport.hpp"

#include <algorithm>
#include <charconv>
#include <netinet/in.h>

namespace cnio::firewall {
namespace {

struct Transport {
  uint8_t number;
  std::string_view name;
};
// Protocols with a port in the third and fourth byte of their header.
constexpr Transport kTransports[] = {{IPPROTO_TCP, "tcp"},
                                     {IPPROTO_UDP, "udp"},
                                     {IPPROTO_SCTP, "sctp"},
                                     {IPPROTO_DCCP, "dccp"},
                                     {IPPROTO_UDPLITE, "udplite"}};

}  // namespace

std::optional<uint8_t> parse_transport(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  const auto same_letter = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
  for (const Transport& each : kTransports) {
    if (is_number ? number == each.number
                  : std::equal(text.begin(), text.end(), each.name.begin(), each.name.end(), same_letter)) {
      return each.number;
    }
  }
  return std::nullopt;
}

std::string transport_name(uint8_t protocol) {
  for (const Transport& each : kTransports) {
    if (each.number == protocol) return std::string(each.name);
  }
  return std::to_string(protocol);
}

}  // namespace cnio::firewall
