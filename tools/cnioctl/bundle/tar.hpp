// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cnio::cnioctl {

struct TarFile {
  std::string name;  // "folder/file"; what is longer than 100 bytes is cut
  std::string content;
};

// As POSIX.1-1988 has it (ustar), so that every tar unpacks it. Files are root's, and can be read by their owner alone.
std::string tar_of(const std::vector<TarFile>& files, int64_t seconds);

}  // namespace cnio::cnioctl
