// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/folder.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cnio/base/own.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio {
namespace {

constexpr unsigned kProbeMode = 0600;
// A container id of 64 characters, and an interface.
constexpr size_t kProbeSize = 80;

// What the file system says of itself where nothing can be tried without a trace. Returns an errno, 0 if all is well.
int ask_for_room(const std::string& folder) {
  if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) return errno;
  struct statvfs room {};
  if (statvfs(folder.c_str(), &room) != 0) return errno;
  const bool full = room.f_blocks != 0 && room.f_bfree == 0;
  const bool no_inodes = room.f_files != 0 && room.f_ffree == 0;  // 0 of 0: it does not count them
  return full || no_inodes ? ENOSPC : 0;
}

// Writes as much as a reservation needs into a file without a name, which vanishes when it is closed. Returns an errno.
int try_to_write(const std::string& folder) {
  const auto file = open_file(folder, O_TMPFILE | O_WRONLY, kProbeMode);
  if (!file.ok()) {
    const int failure = file.error().errnum();
    return lacks_unnamed_files(failure) ? ask_for_room(folder) : failure;
  }
  const Status written = write_all(file.value().get(), std::string(kProbeSize, ' '), folder);
  return written.ok() ? 0 : written.error().errnum();
}

}  // namespace

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

Status check_own_folder(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || is_own(info)) return {};
  return Error::make(Code::kIo, "folder " + path + ": " + why_not_own(info) + ", so what is in it is not believed")
      .hint("if nothing strange is in it: chown root " + path + " && chmod 700 " + path);
}

bool lacks_unnamed_files(int errnum) { return errnum == EOPNOTSUPP || errnum == EISDIR || errnum == EINVAL; }

Status check_folder_writable(const std::string& folder, const std::string& purpose) {
  const auto unavailable = [&](const std::string& path, int errnum) {
    return Error::sys(purpose + " " + path, errnum, Code::kNotAvailable);
  };
  for (std::string path = folder;; path = parent_of(path)) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT && path != "/" && path != ".") continue;
      return unavailable(path, errno);
    }
    if (!S_ISDIR(info.st_mode)) return unavailable(path, ENOTDIR);
    const int failure = try_to_write(path);
    return failure == 0 ? Status() : unavailable(path, failure);
  }
}

}  // namespace cnio
