// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/folder.hpp"

#include <cerrno>
#include <sys/stat.h>

namespace cnio {

std::string parent_of(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  const size_t slash = end == std::string::npos ? end : path.find_last_of('/', end);
  if (slash == std::string::npos) return path.starts_with('/') ? "/" : ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status create_folder(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  const int first_failure = errno;
  const std::string parent = parent_of(path);
  if (first_failure == ENOENT && parent != path && parent != ".") {
    CNIO_TRY(create_folder(parent, mode));
    if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
    return Error::sys("create folder " + path, errno);
  }
  return Error::sys("create folder " + path, first_failure);
}

}  // namespace cnio
