// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/ping/echo.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <optional>
#include <sys/random.h>
#include <sys/socket.h>

namespace cnio::cnioctl {
namespace {

using net::IfIndex;

constexpr size_t kHeader = 8;  // type, code, checksum, identifier, number: of both families
constexpr size_t kMaxPacket = 1500;
constexpr int kMaxPackets = 64;  // at once: a pod may send itself more than one can read

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress address_of(const IpAddr& address, IfIndex link) {
  SocketAddress out;
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, address.data(), address.size());
    out.size = sizeof v4;
    std::memcpy(&out.storage, &v4, sizeof v4);
    return out;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  std::memcpy(&v6.sin6_addr, address.data(), address.size());
  if (address.is_link_local_unicast()) v6.sin6_scope_id = static_cast<uint32_t>(link);
  out.size = sizeof v6;
  std::memcpy(&out.storage, &v6, sizeof v6);
  return out;
}

const sockaddr* pointer(const SocketAddress& address) { return reinterpret_cast<const sockaddr*>(&address.storage); }

// Only echoes come in, whatever else a pod is sent.
bool set_filter(int fd, Family family) {
  if (family == Family::kIpv4) {
    const icmp_filter filter{~(1U << ICMP_ECHOREPLY)};
    return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) == 0;
  }
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0;
}

Result<UniqueFd> open_socket(const Echo::Way& way) {
  const Family family = way.to.family();
  const bool v4 = family == Family::kIpv4;
  UniqueFd fd(socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                     v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}));
  if (!fd.valid() || !set_filter(fd.get(), family)) return Error::sys("open a socket for echoes", errno);
  // Rules may choose the way by the sender's address.
  const SocketAddress from = address_of(way.from, way.link);
  if (bind(fd.get(), pointer(from), from.size) != 0) {
    return Error::sys("send from " + way.from.to_string(), errno, Code::kConflict);
  }
  const SocketAddress to = address_of(way.to, way.link);
  if (connect(fd.get(), pointer(to), to.size) != 0) {
    return Error::sys("find a way to " + way.to.to_string(), errno, Code::kConflict);
  }
  return fd;
}

// RFC 1071.
uint16_t checksum(const uint8_t* bytes, size_t size) {
  uint32_t sum = 0;
  for (size_t i = 0; i < size; ++i) sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8U : uint32_t{bytes[i]};
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<uint16_t>(~sum);
}

}  // namespace

Result<Echo> Echo::open(const net::Namespace& sandbox, const Way& way) {
  Token token{};
  if (getrandom(token.data(), token.size(), 0) != static_cast<ssize_t>(token.size())) {
    return Error::sys("make a random number", errno);
  }
  UniqueFd socket;
  CNIO_TRY(sandbox.run([&]() -> Status {
    CNIO_LET(socket, open_socket(way));
    return {};
  }));
  return Echo(std::move(socket), way.to.family(), token);
}

Status Echo::send() {
  std::array<uint8_t, kHeader + kTokenSize> packet{};
  packet[0] = family_ == Family::kIpv4 ? uint8_t{ICMP_ECHO} : uint8_t{ICMP6_ECHO_REQUEST};
  packet[4] = token_[0];
  packet[5] = token_[1];
  ++sent_;
  packet[6] = static_cast<uint8_t>(sent_ >> 8U);
  packet[7] = static_cast<uint8_t>(sent_ & 0xffU);
  std::copy(token_.begin(), token_.end(), packet.begin() + kHeader);
  if (family_ == Family::kIpv4) {  // the kernel reckons that of ICMPv6
    const uint16_t sum = checksum(packet.data(), packet.size());
    packet[2] = static_cast<uint8_t>(sum >> 8U);
    packet[3] = static_cast<uint8_t>(sum & 0xffU);
  }
  if (::send(fd(), packet.data(), packet.size(), MSG_NOSIGNAL) >= 0) return {};
  return Error::sys("send an echo", errno, Code::kConflict);
}

bool Echo::is_answer(const uint8_t* packet, size_t size) const {
  if (size != kHeader + kTokenSize) return false;
  const uint8_t wanted = family_ == Family::kIpv4 ? uint8_t{ICMP_ECHOREPLY} : uint8_t{ICMP6_ECHO_REPLY};
  return packet[0] == wanted && std::equal(token_.begin(), token_.end(), packet + kHeader);
}

bool Echo::receive() {
  std::array<uint8_t, kMaxPacket> buffer{};
  for (int i = 0; i < kMaxPackets; ++i) {
    const ssize_t size = recv(fd(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;  // what stands in the way of an answer is none
    const auto length = static_cast<size_t>(size);
    // IPv4's come with their header (raw(7)).
    const size_t header = family_ == Family::kIpv4 ? size_t{buffer[0] & 0x0fU} * 4 : 0;
    if (header < length && is_answer(buffer.data() + header, length - header)) return true;
  }
  return false;
}

}  // namespace cnio::cnioctl
