// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/large_pages.hpp"

#include <cstdint>
#include <malloc.h>
#include <memory>
#include <sys/mman.h>

namespace cnio::cnioctl {
namespace {

constexpr int kStep = 8 << 20;
constexpr uintptr_t kLargePage = 2 << 20;
// More than the C library keeps at first, and less than what it would not take from there.
constexpr size_t kFirst = size_t{100} * 1024;

}  // namespace

void ask_for_large_pages() {
  mallopt(M_TOP_PAD, kStep);
  const auto first = std::make_unique_for_overwrite<char[]>(kFirst);
  // What comes behind it is what was got with it.
  const auto begin = (reinterpret_cast<uintptr_t>(first.get()) + kLargePage - 1) / kLargePage * kLargePage;
  // Where it begins and ends it need not be mapped: that is said, and does no harm.
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  (void)madvise(reinterpret_cast<void*>(begin), kStep, MADV_HUGEPAGE);
}

}  // namespace cnio::cnioctl
