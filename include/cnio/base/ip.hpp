// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cnio {

enum class Family : uint8_t { kIpv4, kIpv6 };
inline constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};

// "IPv4" or "IPv6".
std::string_view family_name(Family family);

// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) become IPv4 when parsed, as in the reference.
// Ordered by family, then numerically.
class IpAddr {
 public:
  // Dotted decimal or RFC 4291 text. Refused: leading zeros in an octet, zones (%eth0), surrounding blanks.
  static std::optional<IpAddr> parse(std::string_view text);
  // `bytes` holds 4 or 16 bytes in network order, by family; the kernel's form.
  static IpAddr from_bytes(Family family, const void* bytes);
  static IpAddr from_v4(uint32_t host_order);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool is_v4() const { return family_ == Family::kIpv4; }
  // 4 or 16 bytes in network order.
  [[nodiscard]] const uint8_t* data() const { return bytes_.data(); }
  [[nodiscard]] size_t size() const { return is_v4() ? 4 : 16; }
  // 32 or 128.
  [[nodiscard]] unsigned bits() const { return is_v4() ? 32 : 128; }
  // Canonical text: lower case, longest run of zero groups compressed (RFC 5952). The names of reservation files.
  [[nodiscard]] std::string to_string() const;

  // The numerically next or previous address, wrapping around at the end of the family.
  [[nodiscard]] IpAddr next() const;
  [[nodiscard]] IpAddr previous() const;

  [[nodiscard]] bool is_unspecified() const;
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] bool is_link_local_unicast() const;
  [[nodiscard]] bool is_loopback() const;

  auto operator<=>(const IpAddr&) const = default;

 private:
  Family family_ = Family::kIpv4;
  std::array<uint8_t, 16> bytes_{};  // IPv4 in the first four; the rest stays zero
};

// An address with a prefix length; host bits are kept ("10.1.2.3/24").
struct Cidr {
  IpAddr addr;
  uint8_t prefix = 0;

  // "<address>/<decimal prefix>", the prefix within the family's range and without leading zeros.
  static std::optional<Cidr> parse(std::string_view text);
  static Cidr host(const IpAddr& addr) { return {addr, static_cast<uint8_t>(addr.bits())}; }

  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] Family family() const { return addr.family(); }
  // The same network with host bits cleared.
  [[nodiscard]] Cidr network() const;
  // The last address of the network: the broadcast address of IPv4.
  [[nodiscard]] IpAddr last() const;
  [[nodiscard]] bool contains(const IpAddr& other) const;
  [[nodiscard]] bool overlaps(const Cidr& other) const;
  [[nodiscard]] bool is_default_route() const { return prefix == 0 && addr.is_unspecified(); }
  // Is the address the first of its network, which names the network, or the IPv4 one that reaches all hosts? Networks
  // of one or two addresses have no such.
  [[nodiscard]] bool is_network_address() const;
  [[nodiscard]] bool is_broadcast() const;
  // Why no interface can have it: "is a multicast address". Empty if one can, as the kernel sees it.
  [[nodiscard]] std::string_view why_no_host() const;

  auto operator<=>(const Cidr&) const = default;
};

}  // namespace cnio
