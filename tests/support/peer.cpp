// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/peer.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
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

constexpr int kPatienceMs = 10'000;  // a busy machine; waited for in full only where something is wrong

bool readable(int fd) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, kPatienceMs) == 1;
}

void join_group(int fd, const std::string& group, const std::string& interface) {
  group_req request{};
  request.gr_interface = ::if_nametoindex(interface.c_str());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, group.c_str(), &address.sin_addr);
  std::memcpy(&request.gr_group, &address, sizeof address);
  if (::setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &request, sizeof request) != 0) ::_exit(1);
}

}  // namespace

void PeerServer::serve(const std::string& netns, int report) const {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const bool tcp = kind_ == Kind::kTcp;
  sockaddr_in6 any = socket_address("", port_);
  if (!enter(netns)) ::_exit(1);
  const int fd = ::socket(AF_INET6, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
  const int yes = 1;  // a server of the same port may have closed connections a moment ago
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0) ::_exit(1);
  if (tcp && ::listen(fd, 16) != 0) ::_exit(1);
  if (!group_.empty()) join_group(fd, group_, interface_);
  ::dprintf(report, "ready\n");
  while (true) {
    sockaddr_in6 peer{};
    socklen_t size = sizeof peer;
    std::array<char, 64> data{};
    if (tcp) {
      const int connection = ::accept(fd, reinterpret_cast<sockaddr*>(&peer), &size);
      ::close(connection);
    } else {
      ::recvfrom(fd, data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
    }
    ::dprintf(report, "%s\n", text_of(peer).c_str());
  }
}

PeerServer::PeerServer(const std::string& netns, Kind kind, int port, const std::string& group,
                       const std::string& interface)
    : kind_(kind), port_(port), group_(group), interface_(interface) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  pid_ = ::fork();
  if (pid_ == 0) serve(netns, ends[1]);
  ::close(ends[1]);
  reports_ = ends[0];
  if (next_peer() != "ready") throw std::runtime_error("no server on port " + std::to_string(port) + " in " + netns);
}

PeerServer::~PeerServer() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::close(reports_);
}

std::string PeerServer::next_peer() {
  std::string line;
  char letter = 0;
  while (readable(reports_) && ::read(reports_, &letter, 1) == 1) {
    if (letter == '\n') return line;
    line += letter;
  }
  return "nobody";
}

bool connect_from(const std::string& netns, const std::string& address, int port) {
  const sockaddr_in6 to = socket_address(address, port);
  return in_netns(netns, [&] {
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return true;
    pollfd poll_fd{fd, POLLOUT, 0};
    int error = -1;
    socklen_t size = sizeof error;
    return ::poll(&poll_fd, 1, kPatienceMs) == 1 && ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
           error == 0;
  });
}

void send_from(const std::string& netns, const std::string& address, int port, const std::string& interface,
               int from_port) {
  const sockaddr_in6 to = socket_address(address, port);
  const bool sent = in_netns(netns, [&] {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in to4{};
    to4.sin_family = AF_INET;
    to4.sin_port = to.sin6_port;
    std::memcpy(&to4.sin_addr, &to.sin6_addr.s6_addr[12], sizeof to4.sin_addr);
    ip_mreqn through{};
    through.imr_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (!interface.empty() && ::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &through, sizeof through) != 0) {
      return false;
    }
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_port = htons(static_cast<std::uint16_t>(from_port));
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) return false;
    return ::sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to4), sizeof to4) == 1;
  });
  if (!sent) throw std::runtime_error("cannot send to " + address + " from " + netns);
}

std::string seen_as(const std::string& client_netns, const std::string& server_netns, const std::string& address) {
  constexpr int kPort = 8080;
  PeerServer server(server_netns, PeerServer::Kind::kTcp, kPort);
  if (!connect_from(client_netns, address, kPort)) return "no connection to " + address;
  return server.next_peer();
}

}  // namespace cnio::test
