// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

namespace cnio::net {

// An open network namespace, kept alive by its descriptor (namespaces(7)).
class Namespace {
 public:
  // The process's own. The process must be single-threaded.
  static Result<Namespace> current();
  // The number of the process's own, which no other has while it is there: its file's inode number.
  static Result<uint64_t> own_number();
  // The namespace that `path` names (a bind mount, or /proc/<pid>/ns/net). Nothing if the path does not exist or is no
  // network namespace: for DEL such a sandbox is gone. Any other failure is an error.
  static Result<std::optional<Namespace>> find(const std::string& path);
  // Likewise, where it must be there. Error: code 4, naming CNI_NETNS.
  static Result<Namespace> open(const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] uint64_t number() const { return inode_; }
  [[nodiscard]] bool same_as(const Namespace& other) const {
    return device_ == other.device_ && inode_ == other.inode_;
  }

  // Runs `work` inside this namespace and returns to the current one. If returning is impossible the process aborts:
  // going on in the wrong namespace would damage the host. The process must be single-threaded.
  Status run(const std::function<Status()>& work) const;
  // The same for who has the current one open already.
  Status run(const std::function<Status()>& work, const Namespace& home) const;
  // Likewise in a new namespace, which vanishes with all that `work` made in it.
  static Status run_in_new(const std::function<Status()>& work);

 private:
  Namespace(UniqueFd fd, unsigned long device, unsigned long inode)
      : fd_(std::move(fd)), device_(device), inode_(inode) {}

  UniqueFd fd_;
  unsigned long device_;
  unsigned long inode_;
};

}  // namespace cnio::net
