// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What the kernel says without having been asked.
#include <chrono>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <netlink/msg.h>
#include <netlink/socket.h>

#include "net/exchange.hpp"

namespace cnio::net {
namespace {

// Is there something to read within this time, or before `end` is? After an interruption, trying to shows it.
Result<bool> wait_readable(int fd, int end, int64_t timeout_ms) {
  pollfd waiting[] = {{fd, POLLIN, 0}, {end, POLLIN, 0}};
  const int ready = poll(waiting, 2, timeout_ms > 0 ? static_cast<int>(timeout_ms) : 0);
  if (ready < 0 && errno != EINTR) return Error::sys("wait for a netlink notification", errno, Code::kKernel);
  return ready < 0 || waiting[0].revents != 0;
}

bool any_seen(char* buffer, ssize_t size, const std::function<bool(nlmsghdr* message)>& seen) {
  int remaining = static_cast<int>(size);
  for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); nlmsg_ok(header, remaining);
       header = nlmsg_next(header, &remaining)) {
    if (seen(header)) return true;
  }
  return false;
}

}  // namespace

Result<bool> Netlink::wait_for(int timeout_ms, const std::function<bool(nlmsghdr* message)>& seen, int end) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  alignas(nlmsghdr) char buffer[kNoticeBuffer];
  const int fd = nl_socket_get_fd(socket_.get());
  for (bool lost = false;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    CNIO_LET(const bool readable, wait_readable(fd, end, lost ? 0 : left));
    if (!readable && !lost) return false;
    const ssize_t got = readable ? recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) : 0;
    const bool full = got < 0 && errno == ENOBUFS;
    if (got < 0 && !full && errno != EINTR && errno != EAGAIN) {
      return Error::sys("receive a netlink notification", errno, Code::kKernel);
    }
    // Until the socket has been read empty the kernel drops all that comes, and does not say so again.
    if (full || !readable) {
      lost = full;
      if (seen(nullptr)) return true;
    } else if (any_seen(buffer, got, seen)) {
      return true;
    }
  }
}

Result<bool> Netlink::look_until(int timeout_ms, const std::function<Result<bool>()>& look,
                                 const std::function<bool(nlmsghdr& message)>& concerns) {
  Result<bool> seen = look();
  if (!seen.ok() || seen.value()) return seen;
  CNIO_TRY(wait_for(timeout_ms, [&](nlmsghdr* message) {
    if (message == nullptr || concerns(*message)) seen = look();
    return !seen.ok() || seen.value();
  }));
  return seen;
}

Result<Netlink> listen_here(const std::vector<int>& groups) { return Netlink::open(NETLINK_ROUTE, groups); }

}  // namespace cnio::net
