// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/whole_file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include "cnio/base/unique_fd.hpp"

namespace cnio {
namespace {

constexpr unsigned kFileMode = 0600;
constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL;

// One that is left of another writer is in the way.
Result<UniqueFd> open_new(const std::string& path) {
  auto file = open_file(path, kNew, kFileMode);
  if (file.ok() || file.error().errnum() != EEXIST) return file;
  CNIO_TRY(remove_file(path));
  return open_file(path, kNew, kFileMode);
}

Status write_file(const std::string& path, std::string_view content) {
  CNIO_LET(const UniqueFd file, open_new(path));
  return write_all(file.get(), content, path);
}

// Some file systems cannot leave what is there.
int rename_file(const std::string& from, const std::string& to, IfTaken if_taken) {
  const unsigned flags = if_taken == IfTaken::kLeave ? RENAME_NOREPLACE : 0;
  const int renamed = renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags);
  return renamed < 0 && (errno == EINVAL || errno == ENOSYS) ? rename(from.c_str(), to.c_str()) : renamed;
}

}  // namespace

Result<bool> put_whole_file(const std::string& path, const std::string& temporary, std::string_view content,
                            IfTaken if_taken) {
  Status written = write_file(temporary, content);
  if (written.ok()) {
    if (rename_file(temporary, path, if_taken) == 0) return true;
    if (errno != EEXIST || if_taken == IfTaken::kReplace) written = Error::sys("rename " + temporary, errno);
  }
  (void)unlink(temporary.c_str());
  if (!written.ok()) return std::move(written).error();
  return false;
}

Status remove_file(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return Error::sys("remove " + path, errno);
}

}  // namespace cnio
