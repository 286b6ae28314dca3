// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// How many TCP connections can be made, one after the other.
//
//   connections serve PORT                       accepts and closes, for ever; prints a line once it listens
//   connections open ADDRESS PORT SECONDS        prints how many it opened per second
//
// The client ends each by a reset, so that neither ports nor tracked connections run out. IPv4 only.
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "connections: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

int open_socket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  return fd;
}

int serve(uint16_t port) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  const int fd = open_socket();
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0) fail("bind");
  if (listen(fd, 1024) != 0) fail("listen");
  std::puts("ready");
  std::fflush(stdout);
  for (;;) close(accept(fd, nullptr, nullptr));
}

int open_for(const sockaddr_in& to, double seconds) {
  const auto begun = Clock::now();
  std::chrono::duration<double> passed{};
  long opened = 0;
  for (; passed.count() < seconds; passed = Clock::now() - begun) {
    const int fd = open_socket();
    const linger reset = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail("connect");
    close(fd);
    ++opened;
  }
  std::printf("%.0f\n", static_cast<double>(opened) / passed.count());
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count == 3 && std::strcmp(words[1], "serve") == 0) return serve(static_cast<uint16_t>(std::atoi(words[2])));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (count == 5 && std::strcmp(words[1], "open") == 0 && inet_pton(AF_INET, words[2], &to.sin_addr) == 1) {
    to.sin_port = htons(static_cast<uint16_t>(std::atoi(words[3])));
    return open_for(to, std::atof(words[4]));
  }
  std::fputs("usage: connections serve PORT | open ADDRESS PORT SECONDS\n", stderr);
  return 2;
}
