// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/forged_kernel/forged_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "support/forged_kernel/messages.hpp"

namespace cnio::test {
namespace {

ForgedKernel*& forged() {
  static ForgedKernel* current = nullptr;
  return current;
}

std::string joined(const msghdr& message) {
  std::string bytes;
  for (size_t i = 0; i < message.msg_iovlen; ++i) {
    bytes.append(static_cast<const char*>(message.msg_iov[i].iov_base), message.msg_iov[i].iov_len);
  }
  return bytes;
}

void say_from_kernel(void* address, socklen_t& size) {
  if (address != nullptr) {
    std::memset(address, 0, size);
    static_cast<sockaddr*>(address)->sa_family = AF_NETLINK;
  }
  size = std::min<socklen_t>(size, sizeof(sockaddr_nl));
}

}  // namespace

ForgedKernel::ForgedKernel(std::deque<std::string> answers) : answers_(std::move(answers)) {
  if (forged() != nullptr) throw std::logic_error("there is one kernel");
  forged() = this;
}

ForgedKernel::~ForgedKernel() { forged() = nullptr; }

ssize_t ForgedKernel::take_question(const std::string& question) {
  sequence_ = sequence_of(question);
  return static_cast<ssize_t>(question.size());
}

ssize_t ForgedKernel::give_answer(void* to, size_t room) {
  if (answers_.empty()) {
    errno = EAGAIN;
    return -1;
  }
  std::string answer = std::move(answers_.front());
  answers_.pop_front();
  renumber(answer, 0, sequence_);
  const size_t length = std::min(room, answer.size());
  std::memcpy(to, answer.data(), length);
  return static_cast<ssize_t>(length);
}

}  // namespace cnio::test

// ---- instead of the C library's

using cnio::test::forged;

extern "C" ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* to, socklen_t to_size) {
  if (forged() == nullptr) return syscall(SYS_sendto, fd, data, size, flags, to, to_size);
  return forged()->take_question({static_cast<const char*>(data), size});
}

extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (forged() == nullptr) return syscall(SYS_sendmsg, fd, message, flags);
  return forged()->take_question(cnio::test::joined(*message));
}

extern "C" ssize_t recv(int fd, void* to, size_t room, int flags) {
  if (forged() == nullptr) return syscall(SYS_recvfrom, fd, to, room, flags, nullptr, nullptr);
  return forged()->give_answer(to, room);
}

extern "C" ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (forged() == nullptr) return syscall(SYS_recvmsg, fd, message, flags);
  cnio::test::say_from_kernel(message->msg_name, message->msg_namelen);
  message->msg_flags = 0;
  message->msg_controllen = 0;
  return forged()->give_answer(message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
}

extern "C" int poll(pollfd* fds, nfds_t count, int timeout_ms) {
  if (forged() == nullptr) {
    const timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
    return static_cast<int>(syscall(SYS_ppoll, fds, count, timeout_ms < 0 ? nullptr : &limit, nullptr, 0));
  }
  const bool readable = forged()->has_answer();
  for (nfds_t i = 0; i < count; ++i) fds[i].revents = static_cast<short>(readable ? fds[i].events : 0);
  return readable ? static_cast<int>(count) : 0;
}
