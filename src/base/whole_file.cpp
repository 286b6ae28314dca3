// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/whole_file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/base/folder.hpp"
#include "cnio/base/interrupted.hpp"
#include "cnio/base/own.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio {
namespace {

constexpr unsigned kUnfinishedMode = 0600;  // until it has all its content
constexpr int kNew = O_WRONLY | O_CREAT | O_EXCL;

constexpr int kWhateverItIs = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;  // nobody is followed or waited for

// One that is left of another writer is in the way.
Result<UniqueFd> open_new(const std::string& path) {
  auto file = open_file(path, kNew, kUnfinishedMode);
  if (file.ok() || file.error().errnum() != EEXIST) return file;
  CNIO_TRY(remove_file(path));
  return open_file(path, kNew, kUnfinishedMode);
}

Status write_file(const std::string& path, std::string_view content, const Putting& how) {
  CNIO_LET(const UniqueFd file, open_new(path));
  CNIO_TRY(write_all(file.get(), content, path));
  if (how.mode != kUnfinishedMode && fchmod(file.get(), how.mode) != 0)
    return Error::sys("change the mode of " + path, errno);
  if (how.durable && retry_interrupted([&] { return fsync(file.get()); }) != 0)
    return Error::sys("write " + path + " to disk", errno);
  return {};
}

// The name, too. Whether it lasts is nothing that could be taken back.
void sync_folder(const std::string& folder) {
  const auto opened = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (opened.ok()) (void)fsync(opened.value().get());
}

// Some file systems cannot leave what is there.
int rename_file(const std::string& from, const std::string& to, IfTaken if_taken) {
  const unsigned flags = if_taken == IfTaken::kLeave ? RENAME_NOREPLACE : 0;
  const int renamed = renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags);
  return renamed < 0 && (errno == EINVAL || errno == ENOSYS) ? rename(from.c_str(), to.c_str()) : renamed;
}

}  // namespace

Result<bool> put_whole_file(const std::string& path, const std::string& temporary, std::string_view content,
                            const Putting& how) {
  Status written = write_file(temporary, content, how);
  if (written.ok()) {
    if (rename_file(temporary, path, how.if_taken) == 0) {
      if (how.durable) sync_folder(parent_of(path));
      return true;
    }
    if (errno != EEXIST || how.if_taken == IfTaken::kReplace) written = Error::sys("rename " + temporary, errno);
  }
  (void)unlink(temporary.c_str());
  if (!written.ok()) return std::move(written).error();
  return false;
}

Result<std::optional<std::string>> read_own_file(const std::string& path, size_t limit) {
  const auto file = open_file(path, kWhateverItIs);
  if (!file.ok() && says_absent(file.error().errnum())) return std::optional<std::string>();
  if (!file.ok()) return file.error();
  struct stat info {};
  if (fstat(file.value().get(), &info) != 0) return Error::sys("look at " + path, errno);
  if (!S_ISREG(info.st_mode) || !is_own(info) || info.st_size > static_cast<off_t>(limit))
    return std::optional<std::string>();
  CNIO_LET(std::string text, read_sized(file.value().get(), info.st_size, 2 * limit, path));  // it may have grown
  return std::optional(std::move(text));
}

Result<std::string> read_believed_file(const std::string& path, size_t limit) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return read_regular_file(path, limit);  // it says why
  CNIO_LET(const UniqueFd file, open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (fstat(file.get(), &info) != 0) return Error::sys("look at " + path, errno);
  if (!is_own(info)) {
    return Error::make(Code::kIo, "read " + path + ": " + why_not_own(info) + ", so it is not believed")
        .hint("if its content is right: chown root " + path + " && chmod 644 " + path);
  }
  CNIO_LET(std::optional<std::string> text, read_regular(file.get(), limit, path));
  if (text) return *std::move(text);
  return Error::make(Code::kIo, "read " + path + ": has just become something else than a file");
}

bool says_absent(int errnum) {
  return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP || errnum == ENXIO || errnum == ENAMETOOLONG;
}

Status remove_file(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return Error::sys("remove " + path, errno);
}

}  // namespace cnio
