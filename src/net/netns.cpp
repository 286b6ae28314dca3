// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/netns.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cnio::net {
namespace {

constexpr char kOwn[] = "/proc/self/ns/net";  // shorter to walk than thread-self; only the first thread asks
constexpr int kReturnAttempts = 10;

// Returns into the namespace it was made in; aborts if that is impossible.
class Return {
 public:
  explicit Return(const Namespace& home) : home_(home) {}
  ~Return() {
    // There is no other way on than to return, so what stands in the way, lack of memory say, gets a chance to pass.
    for (int attempt = 0; attempt < kReturnAttempts; ++attempt) {
      if (setns(home_.fd(), CLONE_NEWNET) == 0) return;
    }
    static constexpr char kWhy[] = "cnio: cannot return to the host's network namespace, stopping\n";
    (void)!write(STDERR_FILENO, kWhy, sizeof kWhy - 1);
    std::abort();
  }
  Return(const Return&) = delete;
  Return& operator=(const Return&) = delete;

 private:
  const Namespace& home_;
};

}  // namespace

Result<std::optional<Namespace>> Namespace::find(const std::string& path) {
  // O_NONBLOCK: a FIFO in place of a namespace must not hold us up.
  auto opened = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!opened.ok()) {
    const int errnum = opened.error().errnum();
    // Paths that can name nothing, too: a DEL that fails for one would be repeated for ever.
    static constexpr std::array kNothingThere = {ENOENT, ENOTDIR, ENXIO, ELOOP, ENAMETOOLONG};
    if (std::find(kNothingThere.begin(), kNothingThere.end(), errnum) != kNothingThere.end()) {
      return std::optional<Namespace>();
    }
    return std::move(opened).error();
  }
  UniqueFd fd = std::move(opened).value();
  struct stat status {};
  if (fstat(fd.get(), &status) < 0) return Error::sys("stat " + path, errno);
  const int type = ioctl(fd.get(), NS_GET_NSTYPE);
  // Other files answer in ways of their own; these failures are none of theirs.
  if (type < 0 && (errno == ENOMEM || errno == EPERM)) return Error::sys("look at " + path, errno);
  if (type != CLONE_NEWNET) return std::optional<Namespace>();
  return std::optional(Namespace(std::move(fd), status.st_dev, status.st_ino));
}

Result<Namespace> Namespace::current() {
  CNIO_LET(UniqueFd fd, open_file(kOwn, O_RDONLY).context("open the host's network namespace"));
  struct stat status {};
  if (fstat(fd.get(), &status) < 0) return Error::sys("look at the host's network namespace", errno);
  return Namespace(std::move(fd), status.st_dev, status.st_ino);
}

Result<uint64_t> Namespace::own_number() {
  struct stat status {};
  if (stat(static_cast<const char*>(kOwn), &status) < 0)
    return Error::sys("look at the host's network namespace", errno);
  return status.st_ino;
}

Result<Namespace> Namespace::open(const std::string& path) {
  auto found = find(path);
  if (!found.ok()) {
    return Error::make(Code::kInvalidEnvironment, "CNI_NETNS " + quote(path) + ": " + found.error().msg());
  }
  if (!found.value()) {
    const int errnum = access(path.c_str(), F_OK) == 0 ? 0 : errno;
    const std::string why = errnum == 0        ? "is not a network namespace"
                            : errnum == ENOENT ? "does not exist"
                                               : errno_text(errnum);
    return Error::make(Code::kInvalidEnvironment, "CNI_NETNS " + quote(path) + ": " + why)
        .hint("the runtime must create the sandbox's network namespace before it calls ADD or CHECK");
  }
  return *std::move(found).value();
}

Status Namespace::run(const std::function<Status()>& work) const {
  CNIO_LET(const Namespace home, current());
  return run(work, home);
}

Status Namespace::run(const std::function<Status()>& work, const Namespace& home) const {
  if (setns(fd(), CLONE_NEWNET) < 0) return Error::sys("enter the sandbox's network namespace", errno, Code::kKernel);
  const Return back(home);
  return work();
}

Status Namespace::run_in_new(const std::function<Status()>& work) {
  CNIO_LET(const Namespace home, current());
  if (unshare(CLONE_NEWNET) < 0) return Error::sys("make a network namespace", errno, Code::kKernel);
  const Return back(home);
  return work();
}

}  // namespace cnio::net
