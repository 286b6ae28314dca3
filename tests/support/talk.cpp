// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/talk.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/netns.hpp"
#include "support/socket_address.hpp"

namespace cnio::test {
namespace {

constexpr int kRepeatMs = 100;  // a datagram may be lost

bool connects(Talk kind) { return kind != Talk::kUdp; }

int open_socket(Talk kind, int port) {
  const int fd = ::socket(AF_INET6, connects(kind) ? SOCK_STREAM : SOCK_DGRAM, kind == Talk::kSctp ? IPPROTO_SCTP : 0);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in6 any = socket_address("", port);
  if (port != 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) ::_exit(1);
  return fd;
}

[[noreturn]] void serve(const std::string& netns, Talk kind, int port, int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!enter(netns)) ::_exit(1);
  const int fd = open_socket(kind, port);
  // Answers from the address that was asked, like a server with a socket for each.
  if (connects(kind) && ::listen(fd, 64) != 0) ::_exit(1);
  if (::write(ready, "r", 1) != 1) ::_exit(1);
  for (;;) {
    sockaddr_in6 peer{};
    socklen_t size = sizeof peer;
    std::array<char, 16> data{};
    auto* address = reinterpret_cast<sockaddr*>(&peer);
    if (connects(kind)) {
      const int connection = ::accept(fd, address, &size);
      const std::string answer = text_of(peer);
      (void)::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(connection);
    } else if (::recvfrom(fd, data.data(), data.size(), 0, address, &size) >= 0) {
      const std::string answer = text_of(peer);
      (void)::sendto(fd, answer.data(), answer.size(), 0, address, size);
    }
  }
}

std::string wait_for_answer(int fd, Talk kind, int patience_ms) {
  for (int waited = 0; waited < patience_ms; waited += kRepeatMs) {
    if (!connects(kind)) (void)::send(fd, "?", 1, MSG_NOSIGNAL);
    pollfd poll_fd{fd, POLLIN, 0};
    if (::poll(&poll_fd, 1, kRepeatMs) != 1) continue;
    std::array<char, 64> data{};
    const ssize_t got = ::recv(fd, data.data(), data.size(), 0);
    if (got > 0) return {data.data(), static_cast<std::size_t>(got)};
    return errno == ECONNREFUSED ? "refused" : "closed";
  }
  return "silence";
}

std::string ask(Talk kind, const sockaddr_in6& to, int patience_ms, int from) {
  const int fd = open_socket(kind, from);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    if (errno == ECONNREFUSED) return "refused";
    if (errno != EINPROGRESS) return "unreachable";
  }
  std::string answer = wait_for_answer(fd, kind, patience_ms);
  return answer;
}

}  // namespace

Mirror::Mirror(const std::string& netns, Talk kind, int port) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  pid_ = ::fork();
  if (pid_ == 0) serve(netns, kind, port, ends[1]);
  ::close(ends[1]);
  char ready = 0;
  const bool is_up = ::read(ends[0], &ready, 1) == 1;
  ::close(ends[0]);
  if (!is_up) throw std::runtime_error("no server on port " + std::to_string(port) + " in " + netns);
}

Mirror::~Mirror() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string talk(const std::string& netns, Talk kind, const std::string& address, int port, int patience_ms, int from) {
  const sockaddr_in6 to = socket_address(address, port);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  in_netns(netns, [&] {
    const std::string answer = ask(kind, to, patience_ms, from);
    return ::write(ends[1], answer.data(), answer.size()) > 0;
  });
  ::close(ends[1]);
  std::array<char, 64> data{};
  const ssize_t got = ::read(ends[0], data.data(), data.size());
  ::close(ends[0]);
  return got > 0 ? std::string(data.data(), static_cast<std::size_t>(got)) : "nothing";
}

}  // namespace cnio::test
