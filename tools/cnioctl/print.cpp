// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/print.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <nlohmann/json.hpp>

namespace cnio::cnioctl {
namespace {

struct Span {
  char32_t first;
  char32_t last;
};
// Controls, what cannot be seen, and what turns the direction of writing (Unicode, categories Cc, Cf, Zl and Zp).
constexpr std::array<Span, 9> kUnseen = {{{0, 0x1F},
                                          {0x7F, 0x9F},
                                          {0xAD, 0xAD},
                                          {0x61C, 0x61C},
                                          {0x200B, 0x200F},
                                          {0x2028, 0x202E},
                                          {0x2060, 0x206F},
                                          {0xFEFF, 0xFEFF},
                                          {0xE0000, 0x10FFFF}}};

// The size of the character at the beginning of the text, and the character; 0 if it is none.
struct Character {
  size_t size = 0;
  char32_t code = 0;
};

constexpr unsigned kBitsOfFollower = 6;
constexpr char32_t kHighest = 0x10FFFF;
// For each size the lowest code that needs it: a longer form is none.
constexpr std::array<char32_t, 5> kLowest = {0, 0, 0x80, 0x800, 0x10000};

size_t size_by_lead(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

Character first_character(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(text[at]); };
  Character out{size_by_lead(byte(0)), byte(0)};
  if (out.size <= 1) return out;
  if (out.size > text.size()) return {};
  out.code = byte(0) & (0x7FU >> out.size);
  for (size_t i = 1; i < out.size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    out.code = (out.code << kBitsOfFollower) | (byte(i) & 0x3FU);
  }
  const bool none = (out.code >= 0xD800 && out.code < 0xE000) || out.code > kHighest;
  return out.code < kLowest.at(out.size) || none ? Character() : out;
}

bool is_unseen(char32_t code) {
  return std::any_of(kUnseen.begin(), kUnseen.end(),
                     [&](const Span& span) { return code >= span.first && code <= span.last; });
}

void escape(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<uint8_t>(c);
  out += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
}

size_t width_of(const std::string& cell) {
  return static_cast<size_t>(std::count_if(cell.begin(), cell.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string shown(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character next = first_character(text);
    const std::string_view bytes = text.substr(0, std::max<size_t>(next.size, 1));
    if (next.size == 0 || is_unseen(next.code)) {
      for (const char c : bytes) escape(out, c);
    } else {
      out += bytes;
    }
    text.remove_prefix(bytes.size());
  }
  return out;
}

std::string json_text(const protocol::Json& value) {
  return value.dump(2, ' ', true, protocol::Json::error_handler_t::replace) + "\n";
}

std::string counted(size_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : thing.ends_with("s") ? "es" : "s");
}

std::string duration(long long seconds) {
  constexpr std::array<std::pair<long long, const char*>, 3> kUnits = {
      {{86'400, " days"}, {3'600, " h"}, {60, " min"}}};
  for (const auto& [size, name] : kUnits) {
    if (seconds >= 2 * size) return std::to_string(seconds / size) + name;
  }
  return std::to_string(seconds) + " s";
}

std::string Table::text() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line = indent_;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - std::min(widths[i], width_of(row[i])) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace cnio::cnioctl
