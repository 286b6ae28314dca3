// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <sys/stat.h>

#include "cnio/base/host_lock.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio::ipam {

// The right to work on a store, held until the end of the object. It is two locks:
//
// - flock(2) of the file `lock` in the store's folder, as the reference takes it. Somebody may remove that file while
// it
//   is locked, or others may have been let to open it: see below.
// - One of the host's locks (cnio::HostLocks), which no removed file and no unprivileged process can take away. It
// keeps
//   our own processes apart even then. Where there is none (no /run that can be written), the first has to do.
class StoreLock {
 public:
  enum class File {
    kMake,  // if it is missing
    kFind,  // leaving no trace
  };

  // Waits at most `limit` for both. When it returns, the file that is locked is the one of that name: one that was
  // replaced while it was waited for is let go. From a lock file of ours that others than its owner and the group root
  // could open, and so lock, their rights are taken (kMake). `folder` is its path, for messages, `fd` the open folder.
  // Errors: code 11 if somebody has one of them for longer; else code 5, with ENOENT if the file is missing (kFind), or
  // if the folder has been removed.
  static Result<StoreLock> take(const std::string& folder, int fd, File file, std::chrono::milliseconds limit);

  // Is it still the file of that name?
  [[nodiscard]] bool is_current(int folder) const;
  // Are all other processes of ours kept out, whatever happens to the file?
  [[nodiscard]] bool keeps_ours_out() const { return host_.has_value(); }
  // What the folder was when the file had been locked.
  [[nodiscard]] const struct stat& folder() const { return folder_; }

 private:
  StoreLock(UniqueFd fd, const struct stat& file) : fd_(std::move(fd)), file_(file) {}

  UniqueFd fd_;
  struct stat file_;
  struct stat folder_ {};
  std::optional<HostLock> host_;
};

}  // namespace cnio::ipam
