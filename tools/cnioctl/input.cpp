// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/input.hpp"

#include <unistd.h>

#include "cnio/base/unique_fd.hpp"

namespace cnio::cnioctl {
namespace {

constexpr size_t kMaxInput = 64 << 20;

}  // namespace

Result<std::string> read_input(const std::string& file) {
  return file == "-" ? read_all(STDIN_FILENO, kMaxInput, "standard input") : read_regular_file(file, kMaxInput);
}

}  // namespace cnio::cnioctl
