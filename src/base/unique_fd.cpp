// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/unique_fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cnio/base/interrupted.hpp"

namespace cnio {
namespace {

// After a read or write that failed with errno: true if it is to be done again. A stream that we were given can be
// non-blocking, which is a property that all its holders share; then its turn is waited for.
bool again(int fd, short event) {
  if (errno == EAGAIN) {
    pollfd waiting = {fd, event, 0};
    (void)poll(&waiting, 1, -1);
    return true;
  }
  return errno == EINTR;
}

bool interrupted(int /*fd*/, short /*event*/) { return errno == EINTR; }

// Up to the end, or to `expected` bytes, if that is not 0. `go_on` says whether a read that failed is to be done again.
Result<std::string> read_to_end(int fd, size_t expected, size_t limit, std::string_view shown,
                                bool (*go_on)(int fd, short event)) {
  std::string data;
  // Nearly all that is read is short, and a large buffer would be memory that nothing else here touches.
  char small[4096];
  std::string large;
  for (;;) {
    if (large.empty() && data.size() >= sizeof small) large.resize(size_t{16} * sizeof small);
    char* buffer = large.empty() ? small : large.data();
    const ssize_t got = read(fd, buffer, large.empty() ? sizeof small : large.size());
    if (got < 0 && go_on(fd, POLLIN)) continue;
    if (got < 0) return Error::sys("read " + std::string(shown), errno);
    data.append(buffer, static_cast<size_t>(got));
    if (data.size() > limit) {
      return Error::make(Code::kIo, "read " + std::string(shown) + ": larger than " + std::to_string(limit) + " bytes");
    }
    if (got == 0 || (expected != 0 && data.size() >= expected)) return data;
  }
}

std::string_view kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a folder";
    case S_IFIFO:
      return "a pipe";
    case S_IFSOCK:
      return "a socket";
    case S_IFCHR:
    case S_IFBLK:
      return "a device";
    default:
      return "something else";
  }
}

Error not_regular(const std::string& path, mode_t mode) {
  return Error::make(Code::kIo, "read " + path + ": is not a regular file but " + std::string(kind_of(mode)));
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::reset() {
  if (fd_ < 0) return;
  const int saved = errno;
  (void)close(std::exchange(fd_, -1));  // EINTR closes too on Linux; what was written is checked by write_all
  errno = saved;
}

Result<UniqueFd> open_file(const std::string& path, int flags, unsigned mode) {
  return open_file_at(AT_FDCWD, path, flags, mode, path);
}

Result<UniqueFd> open_file_at(int folder, const std::string& name, int flags, unsigned mode, const std::string& shown) {
  const int fd = retry_interrupted([&] { return openat(folder, name.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) return Error::sys("open " + shown, errno);
  return UniqueFd(fd);
}

Result<std::string> read_all(int fd, size_t limit, std::string_view shown) {
  return read_to_end(fd, 0, limit, shown, again);
}

Result<std::optional<std::string>> read_regular(int fd, size_t limit, std::string_view shown) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return Error::sys("look at " + std::string(shown), errno);
  if (!S_ISREG(info.st_mode)) return std::optional<std::string>();
  CNIO_LET(std::string data, read_sized(fd, info.st_size, limit, shown));
  return std::optional(std::move(data));
}

Result<std::string> read_sized(int fd, off_t size, size_t limit, std::string_view shown) {
  return read_to_end(fd, static_cast<size_t>(size), limit, shown, interrupted);
}

Result<std::string> read_regular_file(const std::string& path, size_t limit) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return Error::sys("open " + path, errno);
  if (!S_ISREG(info.st_mode)) return not_regular(path, info.st_mode);
  CNIO_LET(const UniqueFd file, open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  CNIO_LET(std::optional<std::string> text, read_regular(file.get(), limit, path));
  if (!text) return not_regular(path, 0);
  return *std::move(text);
}

Status write_all(int fd, std::string_view data, std::string_view shown) {
  while (!data.empty()) {
    const ssize_t put = write(fd, data.data(), data.size());
    if (put < 0 && again(fd, POLLOUT)) continue;
    if (put < 0) return Error::sys("write " + std::string(shown), errno);
    data.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  CNIO_LET(const UniqueFd fd, open_file(path, O_RDONLY | O_NONBLOCK));
  return read_to_end(fd.get(), 0, limit, path, interrupted);
}

}  // namespace cnio
