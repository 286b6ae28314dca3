// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/world/base64.hpp"

#include <cstdint>

namespace cnio::cnioctl {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned kBitsEach = 6;
constexpr unsigned kBitsOfByte = 8;

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  unsigned count = 0;
  for (const char each : text) {
    const size_t digit = kDigits.find(each);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << kBitsEach) | static_cast<uint32_t>(digit);
    count += kBitsEach;
    if (count < kBitsOfByte) continue;
    count -= kBitsOfByte;
    out += static_cast<char>((bits >> count) & 0xFFU);
  }
  return out;
}

}  // namespace cnio::cnioctl
