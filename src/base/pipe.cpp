// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "base/pipe.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace cnio {

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return Error::sys("create a pipe", errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void close_descriptors(int first, int last) {
  if (close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0) == 0) return;
  constexpr int kUsualLimit = 1023;  // some filters of system calls do not know close_range
  for (int fd = first; fd <= std::min(last, kUsualLimit); ++fd) (void)close(fd);
}

}  // namespace cnio
