// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/host_lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/base/own.hpp"

namespace cnio {
namespace {

constexpr unsigned kFileMode = 0600;
constexpr unsigned kFolderMode = 0700;
constexpr mode_t kOfOthers = 0077;

const std::string& path_of_locks() {
  static const std::string kPath = std::string(kRunFolder) + "/locks";
  return kPath;
}

Error not_ours(const std::string& path) {
  return Error::make(Code::kIo, path + " is not of this user alone")
      .hint("it is made by the plugins, and holds nothing that outlives the next boot: remove it");
}

// Where each key has its byte; a file may have 2^63 of them.
int64_t place_of(const HostLockKey& key) {
  constexpr unsigned kNumberBits = 56;
  const uint64_t number = key.number & ((uint64_t{1} << kNumberBits) - 1);
  return static_cast<int64_t>(static_cast<uint64_t>(key.purpose) << kNumberBits | number);
}

Result<UniqueFd> open_locks() {
  const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  auto file = open_file(path_of_locks(), flags, kFileMode);
  if (file.ok() || file.error().errnum() != ENOENT) return file;
  CNIO_TRY(make_run_folder());
  return open_file(path_of_locks(), flags, kFileMode);
}

}  // namespace

Status make_run_folder(const std::string& below) {
  if (!below.empty()) CNIO_TRY(make_run_folder());
  const std::string path = below.empty() ? std::string(kRunFolder) : std::string(kRunFolder) + "/" + below;
  if (mkdir(path.c_str(), kFolderMode) != 0 && errno != EEXIST) return Error::sys("create folder " + path, errno);
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return Error::sys("look at " + path, errno);
  if (!S_ISDIR(info.st_mode) || !is_own(info)) return not_ours(path);
  // That of an earlier version; what is in it was never readable.
  if ((info.st_mode & kOfOthers) != 0) (void)chmod(path.c_str(), kFolderMode);
  return {};
}

HostLock::~HostLock() {
  // The last one's goes with the file.
  if (file_ && file_.use_count() > 1) unlock_byte(file_->get(), at_);
}

Result<HostLocks> HostLocks::open() {
  CNIO_LET(UniqueFd file, open_locks());
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return Error::sys("look at " + path_of_locks(), errno);
  if (!S_ISREG(info.st_mode) || info.st_uid != own_user() || (info.st_mode & kOfOthers) != 0) {
    return not_ours(path_of_locks());
  }
  return HostLocks(std::move(file));
}

Result<HostLock> HostLocks::take(const HostLockKey& key, LockKind kind, const std::string& shown,
                                 std::chrono::milliseconds limit) const {
  const int64_t at = place_of(key);
  CNIO_TRY(lock_byte(file_->get(), at, shown, limit, kind));
  return HostLock(file_, at);
}

Result<std::optional<HostLock>> HostLocks::try_take(const HostLockKey& key, LockKind kind,
                                                    const std::string& shown) const {
  const int64_t at = place_of(key);
  CNIO_LET(const bool taken, try_lock_byte(file_->get(), at, shown, kind));
  return taken ? std::optional(HostLock(file_, at)) : std::nullopt;
}

}  // namespace cnio
