// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/mac.hpp"

#include <cstring>
#include <sys/random.h>

namespace cnio {
namespace {

std::optional<uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

std::optional<MacAddr> MacAddr::parse(std::string_view text) {
  const bool dotted = text.size() == 14;
  if (!dotted && text.size() != 17) return std::nullopt;
  const size_t group = dotted ? 4 : 2;  // hex digits between separators
  const char separator = dotted ? '.' : text[2];
  if (!dotted && separator != ':' && separator != '-') return std::nullopt;

  MacAddr mac;
  size_t digit = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i % (group + 1) == group) {
      if (text[i] != separator) return std::nullopt;
      continue;
    }
    const auto value = hex_digit(text[i]);
    if (!value) return std::nullopt;
    uint8_t& byte = mac.bytes_[digit / 2];
    byte = static_cast<uint8_t>((byte << 4U) | *value);
    ++digit;
  }
  return mac;
}

MacAddr MacAddr::from_bytes(const void* six_bytes) {
  MacAddr mac;
  std::memcpy(mac.bytes_.data(), six_bytes, mac.bytes_.size());
  return mac;
}

MacAddr MacAddr::random() {
  MacAddr mac;
  // Up to 256 bytes are delivered whole and uninterrupted once the pool is ready: getrandom(2).
  (void)!getrandom(mac.bytes_.data(), mac.bytes_.size(), 0);
  mac.bytes_[0] = static_cast<uint8_t>((mac.bytes_[0] & 0xfeU) | 0x02U);
  return mac;
}

MacAddr MacAddr::random_high() {
  MacAddr mac = random();
  mac.bytes_[0] = 0xfe;
  return mac;
}

std::string MacAddr::to_string() const {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : bytes_) {
    if (!out.empty()) out += ':';
    out += kHex[byte >> 4U];
    out += kHex[byte & 15U];
  }
  return out;
}

}  // namespace cnio
