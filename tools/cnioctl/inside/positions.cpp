// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/inside/positions.hpp"

#include <algorithm>
#include <set>

#include "cnioctl/texts.hpp"

namespace cnio::cnioctl {
namespace {

constexpr size_t kMaxDepth = 12;      // no key of any plugin lies so deep
constexpr size_t kMaxMembers = 4096;  // nor has a file so many

}  // namespace

// Walks through text that is known to be JSON, so what is not looked at is in order.
class Scanner {
 public:
  Scanner(std::string_view text, Positions& out) : text_(text), out_(out) {}

  void run() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '"') take_text();
      if (c == '{' || c == '[') levels_.push_back({c == '['});
      if ((c == '}' || c == ']') && !levels_.empty()) levels_.pop_back();
      if (c == ',' && !levels_.empty()) next();
    }
  }

 private:
  struct Level {
    bool list;
    size_t number = 0;
    std::string key = {};
    bool has_key = false;
    std::set<std::string> keys = {};
  };

  void next() {
    ++levels_.back().number;
    levels_.back().has_key = false;
  }

  // A key, unless its object waits for the value.
  void take_text() {
    const size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (levels_.empty() || levels_.back().list || levels_.back().has_key) return;
    levels_.back().key = text_.substr(begin, std::min(at_, text_.size()) - begin);
    levels_.back().has_key = true;
    remember();
  }

  void remember() {
    if (levels_.size() > kMaxDepth || out_.lines_.size() >= kMaxMembers) return;
    const std::string path = path_here();
    if (!levels_.back().keys.insert(lowered(levels_.back().key)).second) out_.doubled_.push_back(path);
    out_.lines_[lowered(path)] = line_;
  }

  [[nodiscard]] std::string path_here() const {
    std::string path;
    for (const Level& level : levels_) {
      if (level.list) {
        path.append("[").append(std::to_string(level.number)).append("]");
      } else {
        path.append(path.empty() ? "" : ".").append(level.key);
      }
    }
    return path;
  }

  std::string_view text_;
  Positions& out_;
  size_t at_ = 0;
  size_t line_ = 1;
  std::vector<Level> levels_;
};

Positions::Positions(std::string_view text) { Scanner(text, *this).run(); }

size_t Positions::line_of(std::string path) const {
  for (path = lowered(path); !path.empty();) {
    const auto found = lines_.find(path);
    if (found != lines_.end()) return found->second;
    const size_t end = path.find_last_of(".[");
    path.resize(end == std::string::npos ? 0 : end);
  }
  return 1;
}

}  // namespace cnio::cnioctl
