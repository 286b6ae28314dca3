// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/announce.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "cnio/base/error_list.hpp"

namespace cnio::net {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr std::array<uint8_t, 6> kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr std::array<uint8_t, 6> kAllNodesMac = {0x33, 0x33, 0, 0, 0, 1};
constexpr std::array<uint8_t, 16> kAllNodes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};  // ff02::1
constexpr uint8_t kNextIcmp6 = 58;
constexpr uint8_t kNdHopLimit = 255;  // others are ignored: the frame may have passed a router
constexpr size_t kNaLength = 32;      // 24 bytes and one option of 8
constexpr size_t kNaChecksum = 2;     // where it stands

template <class Range>
void append(Bytes& frame, const Range& bytes) {
  frame.insert(frame.end(), std::begin(bytes), std::end(bytes));
}
void append(Bytes& frame, const MacAddr& mac) { frame.insert(frame.end(), mac.data(), mac.data() + 6); }
void append(Bytes& frame, const IpAddr& ip) { frame.insert(frame.end(), ip.data(), ip.data() + ip.size()); }
void append_u16(Bytes& frame, unsigned value) {
  frame.push_back(static_cast<uint8_t>(value >> 8U));
  frame.push_back(static_cast<uint8_t>(value));
}

Bytes ethernet(const std::array<uint8_t, 6>& to, const MacAddr& from, unsigned type) {
  Bytes frame(to.begin(), to.end());
  append(frame, from);
  append_u16(frame, type);
  return frame;
}

Bytes arp_announcement(const MacAddr& mac, const IpAddr& ip) {
  Bytes frame = ethernet(kBroadcast, mac, ETH_P_ARP);
  append_u16(frame, 1);                               // hardware: Ethernet
  append_u16(frame, ETH_P_IP);                        // protocol
  append(frame, std::array<uint8_t, 4>{6, 4, 0, 1});  // their sizes; a request
  append(frame, mac);
  append(frame, ip);
  append(frame, std::array<uint8_t, 6>{});  // of the target: nobody is asked
  append(frame, ip);
  return frame;
}

// RFC 1071 over the pseudo-header of RFC 8200, section 8.1, and the message.
unsigned checksum(const IpAddr& source, const Bytes& message) {
  Bytes all(source.data(), source.data() + source.size());
  append(all, kAllNodes);
  append_u16(all, 0);
  append_u16(all, static_cast<unsigned>(message.size()));
  append_u16(all, 0);
  append_u16(all, kNextIcmp6);
  append(all, message);
  unsigned sum = 0;
  for (size_t i = 0; i + 1 < all.size(); i += 2) sum += all[i] * 256U + all[i + 1];
  while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
  return ~sum & 0xffffU;
}

Bytes unsolicited_advertisement(const MacAddr& mac, const IpAddr& ip) {
  Bytes message = {136,  0, 0, 0,   // type, code, checksum to come
                   0x20, 0, 0, 0};  // override; nobody asked; no router
  append(message, ip);
  append(message, std::array<uint8_t, 2>{2, 1});  // option: the target's link-layer address, 8 bytes
  append(message, mac);
  const unsigned sum = checksum(ip, message);
  message[kNaChecksum] = static_cast<uint8_t>(sum >> 8U);
  message[kNaChecksum + 1] = static_cast<uint8_t>(sum);

  Bytes frame = ethernet(kAllNodesMac, mac, ETH_P_IPV6);
  append(frame, std::array<uint8_t, 4>{0x60, 0, 0, 0});
  append_u16(frame, kNaLength);
  append(frame, std::array<uint8_t, 2>{kNextIcmp6, kNdHopLimit});
  append(frame, ip);
  append(frame, kAllNodes);
  append(frame, message);
  return frame;
}

}  // namespace

Announcer Announcer::open() {
  // Protocol 0: it only sends.
  UniqueFd packets(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  const int failure = packets.valid() ? 0 : errno;
  return {std::move(packets), failure};
}

Status Announcer::announce(const Link& link, const std::vector<IpAddr>& addresses) const {
  const auto failed = [&](const std::string& what, int errnum) {
    return Error::sys("announce " + what + " of " + link.name, errnum, Code::kKernel);
  };
  if (!packets_.valid()) return failed("the addresses", failure_);
  if (!link.mac) return failed("the addresses", EADDRNOTAVAIL);
  ErrorList errors;
  for (const IpAddr& address : addresses) {
    const Bytes frame =
        address.is_v4() ? arp_announcement(*link.mac, address) : unsolicited_advertisement(*link.mac, address);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(link.index);
    ssize_t sent = -1;
    do {
      sent = sendto(packets_.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) errors.collect(failed(address.to_string(), errno));
  }
  return errors.status();
}

}  // namespace cnio::net
