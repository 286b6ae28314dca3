// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "cnio/base/result.hpp"

namespace cnio {

// Owns one file descriptor; closes it, with errno unchanged. Every descriptor of a plugin is close-on-exec, because
// delegates are executed.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC, restarted on EINTR. The error carries errno (Error::errnum) and names the path.
Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode = 0);

// openat(2), likewise; `shown` is the path that messages name.
Result<UniqueFd> open_file_at(int folder, const std::string& name, int flags, unsigned mode, const std::string& shown);

// Everything from the current offset to the end; more than `limit` bytes is an error (code 5). `shown` names the source
// in messages. Short reads, EINTR and a descriptor that is non-blocking are not errors.
Result<std::string> read_all(int fd, size_t limit, std::string_view shown);

// Writes all of `data`; short writes, EINTR and a descriptor that is non-blocking are not errors.
Status write_all(int fd, std::string_view data, std::string_view shown);

// Opens, reads up to `limit` bytes, closes.
Result<std::string> read_file(const std::string& path, size_t limit);

}  // namespace cnio
