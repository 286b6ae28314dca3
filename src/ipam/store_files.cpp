// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "ipam/store_files.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/base/folder.hpp"
#include "cnio/base/interrupted.hpp"
#include "cnio/base/unique_fd.hpp"

#include "ipam/store_folder.hpp"

namespace cnio::ipam {
namespace {

constexpr unsigned kFileMode = 0600;

// Gives the unnamed file `fd` its name; false if the system cannot do that here. Errno tells why.
bool link_unnamed(int fd, int folder, const std::string& name) {
  if (linkat(fd, "", folder, name.c_str(), AT_EMPTY_PATH) == 0) return true;
  if (errno != ENOENT && errno != EPERM) return false;
  // Linking by descriptor needs CAP_DAC_READ_SEARCH; by /proc it does not.
  const std::string by_proc = "/proc/self/fd/" + std::to_string(fd);
  return linkat(AT_FDCWD, by_proc.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

// For file systems without unnamed files. Synced, because such a one (NFS) may report a full disk only then.
Result<bool> create_named(int folder, const std::string& name, const std::string& shown, std::string_view content,
                          const std::function<void(int fd)>& dress) {
  auto file = open_file_at(folder, name, O_WRONLY | O_CREAT | O_EXCL, kFileMode, shown);
  if (!file.ok() && file.error().errnum() == EEXIST) return false;
  if (!file.ok()) return std::move(file).error();
  Status written = write_all(file.value().get(), content, shown);
  if (written.ok()) dress(file.value().get());
  if (written.ok() && fdatasync(file.value().get()) != 0) written = Error::sys("write " + shown, errno);
  if (written.ok()) return true;
  Error error = std::move(written).error();
  const Status removed = remove_file(folder, name, shown);
  if (!removed.ok()) error = std::move(error).hint("could not be undone: " + removed.error().msg());
  return error;
}

}  // namespace

bool is_odd_file(int folder, const std::string& name) {
  struct stat info {};
  return fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(info.st_mode);
}

// The file is written before it gets its name, so no crash and no full disk leaves a part of it under that name. It is
// not synced: an address whose file a power failure takes with it has lost its container too, and a flush under the
// lock would make every pod of the node wait for the disk.
Result<bool> create_whole_file(int folder, const std::string& name, const std::string& shown, std::string_view content,
                               const std::function<void(int fd)>& dress) {
  auto unnamed = open_file_at(folder, ".", O_TMPFILE | O_WRONLY, kFileMode, shown);
  if (!unnamed.ok()) {
    if (lacks_unnamed_files(unnamed.error().errnum())) return create_named(folder, name, shown, content, dress);
    return std::move(unnamed).error();
  }
  CNIO_TRY(write_all(unnamed.value().get(), content, shown));
  dress(unnamed.value().get());
  if (link_unnamed(unnamed.value().get(), folder, name)) return true;
  if (errno == EEXIST) return false;
  return create_named(folder, name, shown, content, dress);
}

Status overwrite_file(int fd, size_t length, const std::string& shown, std::string_view content) {
  const auto put = retry_interrupted([&] { return pwrite(fd, content.data(), content.size(), 0); });
  if (put < 0) return Error::sys("write " + shown, errno);
  if (static_cast<size_t>(put) != content.size()) return Error::sys("write " + shown, ENOSPC);
  if (length <= content.size()) return {};
  const int cut = retry_interrupted([&] { return ftruncate(fd, static_cast<off_t>(content.size())); });
  return cut == 0 ? Status() : Error::sys("write " + shown, errno);
}

Status remove_file(int folder, const std::string& name, const std::string& shown) {
  if (unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return Error::sys("remove " + shown, errno);
}

}  // namespace cnio::ipam
