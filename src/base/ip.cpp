// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/ip.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>

namespace cnio {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// The run of zero groups that "::" replaces: the longest of at least two, the first of equals (RFC 5952, 4.2).
struct ZeroRun {
  size_t begin = 8;
  size_t length = 0;
};

ZeroRun longest_zero_run(const std::array<uint16_t, 8>& groups) {
  ZeroRun best;
  for (size_t i = 0; i < groups.size();) {
    size_t end = i;
    while (end < groups.size() && groups[end] == 0) ++end;
    if (end - i >= 2 && end - i > best.length) best = {i, end - i};
    i = std::max(end, i + 1);
  }
  return best;
}

std::string v6_text(const std::array<uint8_t, 16>& bytes) {
  std::array<uint16_t, 8> groups{};
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i] = static_cast<uint16_t>((bytes[2 * i] << 8U) | bytes[2 * i + 1]);
  }
  const ZeroRun zeros = longest_zero_run(groups);
  std::string out;
  for (size_t i = 0; i < groups.size();) {
    if (i == zeros.begin) {
      out += "::";
      i += zeros.length;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    char digits[4];
    auto* const end = std::to_chars(digits, digits + sizeof digits, groups[i], 16).ptr;
    out.append(digits, end);
    ++i;
  }
  return out;
}

}  // namespace

std::string_view family_name(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

std::optional<IpAddr> IpAddr::parse(std::string_view text) {
  // inet_pton refuses leading zeros, zones and blanks; a NUL inside the text must not shorten it.
  if (text.size() > 45 || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  std::array<uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) return from_bytes(Family::kIpv4, bytes.data());
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) != 1) return std::nullopt;
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())) {
    return from_bytes(Family::kIpv4, bytes.data() + kMappedPrefix.size());
  }
  return from_bytes(Family::kIpv6, bytes.data());
}

IpAddr IpAddr::from_bytes(Family family, const void* bytes) {
  IpAddr addr;
  addr.family_ = family;
  std::memcpy(addr.bytes_.data(), bytes, addr.size());
  return addr;
}

IpAddr IpAddr::from_v4(uint32_t host_order) {
  const uint32_t network_order = htonl(host_order);
  return from_bytes(Family::kIpv4, &network_order);
}

std::string IpAddr::to_string() const {
  if (!is_v4()) return v6_text(bytes_);
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, bytes_.data(), text, sizeof text);
}

IpAddr IpAddr::next() const {
  IpAddr out = *this;
  for (size_t i = size(); i-- > 0;) {
    if (++out.bytes_[i] != 0) break;
  }
  return out;
}

IpAddr IpAddr::previous() const {
  IpAddr out = *this;
  for (size_t i = size(); i-- > 0;) {
    if (out.bytes_[i]-- != 0) break;
  }
  return out;
}

bool IpAddr::is_unspecified() const { return bytes_ == std::array<uint8_t, 16>{}; }

bool IpAddr::is_multicast() const { return is_v4() ? (bytes_[0] & 0xf0U) == 0xe0U : bytes_[0] == 0xffU; }

bool IpAddr::is_link_local_unicast() const {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xfeU && (bytes_[1] & 0xc0U) == 0x80U;
}

bool IpAddr::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return previous().is_unspecified();  // ::1
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view length = text.substr(slash + 1);
  const auto addr = IpAddr::parse(text.substr(0, slash));
  if (!addr || length.empty()) return std::nullopt;  // with zeros in front, too, as Go reads it
  unsigned prefix = 0;
  const auto [end, failure] = std::from_chars(length.data(), length.data() + length.size(), prefix);
  if (failure != std::errc() || end != length.data() + length.size()) return std::nullopt;
  // A mapped address keeps the meaning of its text: the prefix counts from the first of 128 bits.
  if (addr->is_v4() && text.find(':') != std::string_view::npos) {
    if (prefix < 96) return std::nullopt;
    prefix -= 96;
  }
  if (prefix > addr->bits()) return std::nullopt;
  return Cidr{*addr, static_cast<uint8_t>(prefix)};
}

std::string Cidr::to_string() const { return addr.to_string() + "/" + std::to_string(prefix); }

Cidr Cidr::network() const {
  std::array<uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), addr.data(), addr.size());
  for (size_t i = 0; i < addr.size(); ++i) {
    const size_t kept = std::min<size_t>(8, prefix > 8 * i ? prefix - 8 * i : 0);
    bytes[i] = static_cast<uint8_t>(bytes[i] & (0xff00U >> kept));
  }
  return {IpAddr::from_bytes(addr.family(), bytes.data()), prefix};
}

IpAddr Cidr::last() const {
  std::array<uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), addr.data(), addr.size());
  for (size_t i = 0; i < addr.size(); ++i) {
    const size_t kept = std::min<size_t>(8, prefix > 8 * i ? prefix - 8 * i : 0);
    bytes[i] = static_cast<uint8_t>(bytes[i] | (0xffU >> kept));
  }
  return IpAddr::from_bytes(addr.family(), bytes.data());
}

bool Cidr::contains(const IpAddr& other) const {
  return other.family() == addr.family() && Cidr{other, prefix}.network() == network();
}

bool Cidr::is_network_address() const { return prefix + 1U < addr.bits() && addr == network().addr; }

bool Cidr::is_broadcast() const {
  if (!addr.is_v4()) return false;
  return addr == IpAddr::from_v4(0xffffffff) || (prefix + 1U < addr.bits() && addr == last());
}

std::string_view Cidr::why_no_host() const {
  if (addr.is_unspecified()) return "is no address but stands for none";
  if (prefix == 0) return "has a prefix length of 0, which would make the whole world its network";
  if (addr.is_multicast()) return "is a multicast address";
  if (addr.is_loopback()) return "is a loopback address";
  if (is_broadcast()) return "is a broadcast address";
  return {};
}

bool Cidr::overlaps(const Cidr& other) const { return contains(other.addr) || other.contains(addr); }

}  // namespace cnio
