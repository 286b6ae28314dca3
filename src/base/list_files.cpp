// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/list_files.hpp"

#include <cerrno>
#include <dirent.h>

#include "cnio/base/interrupted.hpp"

namespace cnio {
namespace {

// Where a file system does not tell, it shows when the file is opened.
bool may_be_regular(const dirent64& entry) { return entry.d_type == DT_REG || entry.d_type == DT_UNKNOWN; }

}  // namespace

Status list_files(int folder, const std::string& shown, const std::function<void(FileName)>& visit) {
  alignas(dirent64) char buffer[32768];
  for (;;) {
    const ssize_t size =
        retry_interrupted([&] { return getdents64(folder, static_cast<char*>(buffer), sizeof buffer); });
    if (size < 0) return Error::sys("list " + shown, errno);
    if (size == 0) return {};
    for (ssize_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(static_cast<char*>(buffer) + at);
      visit({static_cast<const char*>(entry->d_name), may_be_regular(*entry)});
      at += entry->d_reclen;
    }
  }
}

}  // namespace cnio
