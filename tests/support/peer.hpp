// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <sys/types.h>

namespace cnio::test {

/// A server in a namespace that tells which address each client came from: the judge of masquerading.
class PeerServer {
 public:
  enum class Kind { kTcp, kUdp };

  /// Listens on all addresses of both families; returns once it does. With a group (IPv4) it also joins that
  /// multicast group on the given interface.
  PeerServer(const std::string& netns, Kind kind, int port, const std::string& group = "",
             const std::string& interface = "");
  PeerServer(const PeerServer&) = delete;
  PeerServer& operator=(const PeerServer&) = delete;
  ~PeerServer();

  /// Address of the next client that was seen; "nobody" if none comes within ten seconds.
  std::string next_peer();

 private:
  [[noreturn]] void serve(const std::string& netns, int report) const;

  Kind kind_;
  int port_;
  std::string group_;
  std::string interface_;
  pid_t pid_ = -1;
  int reports_ = -1;
};

/// Opens a TCP connection from a namespace; false if it is not made within ten seconds.
bool connect_from(const std::string& netns, const std::string& address, int port);

/// Sends one datagram from a namespace (multicast: through the given interface), from any port or the given one.
void send_from(const std::string& netns, const std::string& address, int port, const std::string& interface = "",
               int from_port = 0);

/// Address under which a TCP server at `address` in `server_netns` sees a client of `client_netns`.
std::string seen_as(const std::string& client_netns, const std::string& server_netns, const std::string& address);

}  // namespace cnio::test
