// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "ipam/store_folder.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cnio/base/folder.hpp"

namespace cnio::ipam {
namespace {

bool is_link(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
}

Error linked_folder(const std::string& path, Code code) {
  return Error::make(code, "open folder " + path + ": is a symbolic link, which is not followed",
                     "put the folder that it leads to in its place, or let \"ipam.dataDir\" name a folder elsewhere");
}

}  // namespace

Result<UniqueFd> open_folder(const std::string& path) {
  auto fd = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (fd.ok() || !is_link(path)) return fd;
  return linked_folder(path, Code::kIo);
}

Status check_folder_writable(const std::string& folder) {
  if (is_link(folder)) return linked_folder(folder, Code::kNotAvailable);
  return cnio::check_folder_writable(folder, "make reservations in");
}

}  // namespace cnio::ipam
