// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iterator>
#include <list>
#include <vector>

namespace cnio::cnioctl {

// Equals stay in their order. Not std::stable_sort: that of Debian 12's C++ library calls what C++17 deprecates, of
// which clang 19 warns in whoever uses it.
template <class T, class Before>
void sort_stably(std::vector<T>& all, Before before) {
  std::list<T> sorted(std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()));
  sorted.sort(before);
  all.assign(std::make_move_iterator(sorted.begin()), std::make_move_iterator(sorted.end()));
}

}  // namespace cnio::cnioctl
