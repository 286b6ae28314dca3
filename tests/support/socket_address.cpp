// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/socket_address.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <stdexcept>

namespace cnio::test {

sockaddr_in6 socket_address(const std::string& address, int port) {
  sockaddr_in6 result{};
  result.sin6_family = AF_INET6;
  result.sin6_port = htons(static_cast<std::uint16_t>(port));
  const std::string text = address.find(':') == std::string::npos ? "::ffff:" + address : address;
  if (!address.empty() && ::inet_pton(AF_INET6, text.c_str(), &result.sin6_addr) != 1) {
    throw std::invalid_argument("no address: " + address);
  }
  return result;
}

std::string text_of(const sockaddr_in6& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, &peer.sin6_addr, text.data(), text.size());
  const std::string address = text.data();
  return address.starts_with("::ffff:") ? address.substr(7) : address;
}

}  // namespace cnio::test
