// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/picture/fold.hpp"

#include <algorithm>
#include <map>

#include "cnioctl/sort_stably.hpp"

namespace cnio::cnioctl {
namespace {

// As many as two full bridges.
constexpr size_t kMostInAll = 2 * kMostRows;
// Each bridge shows some of its pods, however many bridges there are.
constexpr size_t kFewestRows = 6;
// Of each trouble so many pods are shown, where not all can be.
constexpr size_t kExamples = 5;
constexpr size_t kNamesInTitle = 30;

// Troubles that differ in a pod's own names alone are one: "gone: /run/netns/a is not there any more".
std::string kind_of(const SceneRow& row) {
  if (row.look == Look::kWrong) return row.trouble;
  return row.trouble.substr(0, row.trouble.find(':'));
}

// What is wrong, then what is stale, and at last what is well.
int rank(Look look) {
  constexpr Look kOrder[] = {Look::kWrong, Look::kStale, Look::kUnknown, Look::kWell};
  return static_cast<int>(std::find(std::begin(kOrder), std::end(kOrder), look) - std::begin(kOrder));
}

SceneRow box_of(const std::vector<SceneRow>& rows, size_t from, size_t to) {
  SceneRow out{rows[from].look, "+ " + std::to_string(to - from)};
  if (out.look == Look::kWell) out.addresses = "well";
  if (out.look != Look::kWell) out.trouble = kind_of(rows[from]);
  out.attached = rows[from].attached;
  out.many = true;
  for (size_t i = from; i < to && i < from + kNamesInTitle; ++i) {
    out.title += rows[i].name + "  " + rows[i].addresses + "\n";
  }
  if (to - from > kNamesInTitle) out.title += "and " + std::to_string(to - from - kNamesInTitle) + " more\n";
  return out;
}

// Rows of one kind: the first of them, and a box for the rest, if that is more than one.
void take(const std::vector<SceneRow>& rows, size_t from, size_t to, size_t examples, std::vector<SceneRow>& out) {
  const size_t some = to - from <= examples + 1 ? to : from + examples;
  out.insert(out.end(), rows.begin() + static_cast<long>(from), rows.begin() + static_cast<long>(some));
  if (some != to) out.push_back(box_of(rows, some, to));
}

// Rows of one kind stand together. `examples` of each are kept; of those that are well, none.
std::vector<SceneRow> gather(const std::vector<SceneRow>& rows, size_t examples) {
  std::vector<SceneRow> out;
  for (size_t from = 0; from < rows.size();) {
    size_t to = from + 1;
    while (to < rows.size() && rows[to].look == rows[from].look && kind_of(rows[to]) == kind_of(rows[from])) ++to;
    take(rows, from, to, rows[from].look == Look::kWell ? 0 : examples, out);
    from = to;
  }
  return out;
}

}  // namespace

size_t rows_for_each(const std::vector<SceneGroup>& groups) {
  size_t rows = 0;
  for (const SceneGroup& each : groups) rows += each.rows.size();
  if (rows <= kMostInAll) return kMostRows;
  return std::clamp(kMostInAll / groups.size(), kFewestRows, kMostRows);
}

void fold(std::vector<SceneRow>& rows, size_t most) {
  if (rows.size() <= most) return;
  sort_stably(rows, [](const SceneRow& a, const SceneRow& b) {
    return rank(a.look) != rank(b.look) ? rank(a.look) < rank(b.look) : kind_of(a) < kind_of(b);
  });
  std::vector<SceneRow> folded = gather(rows, rows.size());
  if (folded.size() > most) folded = gather(rows, kExamples);
  rows = std::move(folded);
}

}  // namespace cnio::cnioctl
