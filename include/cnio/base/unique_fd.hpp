// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
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
  // Gives it up to somebody who closes it.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC, restarted on EINTR. The error carries errno (Error::errnum) and names the path.
Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode = 0);

// openat(2), likewise; `shown` is the path that messages name.
Result<UniqueFd> open_file_at(int folder, const std::string& name, int flags, unsigned mode, const std::string& shown);

// Everything from the current offset to the end; more than `limit` bytes is an error (code 5). `shown` names the source
// in messages. Short reads, EINTR and a descriptor that is non-blocking are not errors: whoever writes is waited for
// without end. For streams that the caller of the program has given to it, and for nothing else.
Result<std::string> read_all(int fd, size_t limit, std::string_view shown);

// The same for a file that somebody may have put in place: nothing if it is no regular one, and nobody is waited for.
// The file must have been opened with O_NONBLOCK, for some regular files of /proc wait, too. Of one that knows its size
// no more is read than that.
Result<std::optional<std::string>> read_regular(int fd, size_t limit, std::string_view shown);

// The same for who knows already that it is a regular one of `size` bytes. Some file systems do not know how much there
// is, and say 0: then only the end tells.
Result<std::string> read_sized(int fd, off_t size, size_t limit, std::string_view shown);

// The same of what somebody else has named: a symbolic link is followed, but anything else than a regular file in the
// end is not even opened, since to open a device, or what a program serves, can have effects. Errors: code 5.
Result<std::string> read_regular_file(const std::string& path, size_t limit);

// Writes all of `data`; short writes, EINTR and a descriptor that is non-blocking are not errors.
Status write_all(int fd, std::string_view data, std::string_view shown);

// Opens, reads up to `limit` bytes, closes; waits for nobody: what has nothing to say yet is an error (code 5).
Result<std::string> read_file(const std::string& path, size_t limit);

}  // namespace cnio
