// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cnio/protocol/json.hpp"

// What is printed: names and texts of others can drive no terminal.
namespace cnio::cnioctl {

inline constexpr char kSchema[] = "cnioctl/1";

// `text` on one line. What is not printable is escaped as "\x9b": control characters of either kind, those that turn
// the direction of writing or cannot be seen, and what is no UTF-8.
std::string shown(std::string_view text);

// One object, with a final line break. Only ASCII, all else escaped.
std::string json_text(const protocol::Json& value);

// "3 pods", "1 pod".
std::string counted(size_t count, const std::string& thing);
// "3 h", "2 days", "59 s".
std::string duration(long long seconds);

// Cells in columns, two blanks between them; a cell is as wide as its longest, but for the last of a row.
class Table {
 public:
  explicit Table(std::string indent = {}) : indent_(std::move(indent)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string text() const;

 private:
  std::string indent_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cnio::cnioctl
