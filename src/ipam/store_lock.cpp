// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "ipam/store_lock.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/base/file_lock.hpp"

namespace cnio::ipam {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr char kName[] = "lock";
constexpr unsigned kMode = 0750;
constexpr unsigned kModeOfOwner = 0700;
constexpr gid_t kRootGroup = 0;

milliseconds left_until(Clock::time_point deadline) {
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(deadline - Clock::now()));
}

// Whoever can open a file, if only for reading, can lock it. Older versions of anything, a copy or a hand may have made
// it so. What cannot be changed is somebody else's, or on a file system that nobody can write.
void keep_others_out(int fd, const struct stat& info) {
  const unsigned allowed = info.st_gid == kRootGroup ? kMode : kModeOfOwner;
  const unsigned mode = info.st_mode & 07777U;
  if ((mode & ~allowed & 0077U) != 0 && info.st_uid == geteuid()) (void)fchmod(fd, mode & allowed);
}

// Nothing where the host has none of these locks.
Result<std::optional<HostLock>> take_of_host(const struct stat& folder, const std::string& shown, milliseconds limit) {
  const auto locks = HostLocks::open();
  if (!locks.ok()) return std::optional<HostLock>();
  constexpr uint64_t kSpread = 0x9e3779b97f4a7c15;  // so that numbers of two devices are hardly ever the same
  const HostLockKey key{HostLockKey::Purpose::kStore, folder.st_ino + folder.st_dev * kSpread};
  CNIO_LET(HostLock lock, locks.value().take(key, LockKind::kAlone, shown, limit));
  return std::optional(std::move(lock));
}

}  // namespace

Result<StoreLock> StoreLock::take(const std::string& folder, int fd, File file, milliseconds limit) {
  const std::string path = folder + "/" + kName;
  const auto deadline = Clock::now() + limit;
  const int making = file == File::kMake ? O_CREAT : 0;
  for (;;) {
    // O_NONBLOCK: opening a pipe or a device that someone put there must not stop us.
    CNIO_LET(UniqueFd lock, open_file_at(fd, kName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | making, kMode, path));
    struct stat info {};
    if (fstat(lock.get(), &info) != 0) return Error::sys("look at " + path, errno);
    if (!S_ISREG(info.st_mode)) return Error::make(Code::kIo, "lock " + path + ": not a regular file");
    if (file == File::kMake) keep_others_out(lock.get(), info);
    CNIO_TRY(lock_file(lock.get(), path, limit));
    StoreLock out(std::move(lock), info);
    if (fstat(fd, &out.folder_) != 0) return Error::sys("look at " + folder, errno);
    CNIO_LET(out.host_, take_of_host(out.folder_, "the store " + folder, left_until(deadline)));
    if (out.is_current(fd)) return out;
    // Both are let go: who has the new file may be waiting for the other.
    limit = left_until(deadline);
    if (limit == milliseconds(0)) {
      return Error::make(Code::kTryAgain, "lock " + path + ": is removed again and again");
    }
  }
}

bool StoreLock::is_current(int folder) const {
  struct stat info {};
  return fstatat(folder, kName, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_dev == file_.st_dev &&
         info.st_ino == file_.st_ino;
}

}  // namespace cnio::ipam
