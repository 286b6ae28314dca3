// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/nearest.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "cnioctl/texts.hpp"

namespace cnio::cnioctl {
namespace {

constexpr size_t kPart = 3;          // of whose letters one may be wrong
constexpr size_t kLongestWord = 64;  // longer ones are like none

// How many letters have to be put in, taken out or changed.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

}  // namespace

Nearest::Nearest(std::string_view word) : word_(lowered(word)), least_(word.size() / kPart + 1) {}

void Nearest::offer(std::string_view candidate) {
  if (word_.size() > kLongestWord) return;
  const size_t wrong = distance(word_, lowered(candidate));
  if (wrong >= least_) return;
  least_ = wrong;
  found_ = candidate;
}

}  // namespace cnio::cnioctl
