// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>
#include <utility>

#include "cnioctl/command_line/line.hpp"
#include "cnioctl/command_line/table.hpp"

// field<&Line::gc, &GcOptions::output>(): what is said goes there, as the type of the member wants it, and what is
// there before is the preset.
namespace cnio::cnioctl {
namespace fields {

template <typename T>
constexpr Kind kind_of() {
  if constexpr (std::is_same_v<T, bool>) return Kind::kFlag;
  if constexpr (std::is_same_v<T, uint64_t>) return Kind::kNumber;
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return Kind::kTexts;
  return Kind::kText;
}

inline bool put(bool& to, const std::string& /*text*/) { return to = true; }
inline bool put(uint64_t& to, const std::string& text) { return read_number(text, to); }
inline bool put(std::string& to, const std::string& text) {
  to = text;
  return true;
}
inline bool put(std::vector<std::string>& to, const std::string& text) {
  to.push_back(text);
  return true;
}

inline std::string preset(uint64_t from) { return std::to_string(from); }
inline std::string preset(const std::string& from) { return from; }
template <typename T>
std::string preset(const T& /*nothing that has to be said*/) {
  return {};
}

}  // namespace fields

template <auto... kPath>
constexpr Field field() {
  using T = std::remove_reference_t<decltype((std::declval<Line&>().*....*kPath))>;
  return {fields::kind_of<T>(),
          [](Line& line, const std::string& text) { return fields::put((line.*....*kPath), text); },
          [](const Line& line) { return fields::preset((line.*....*kPath)); }};
}

}  // namespace cnio::cnioctl
