// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// A process that may do as it likes in a network namespace, such as that of its own pod, can send netlink messages to
// other processes' sockets there. None of them is taken for the kernel's.
#include <cerrno>
#include <ctime>
#include <fstream>
#include <linux/rtnetlink.h>
#include <set>
#include <sstream>
#include <sys/socket.h>

#include <netlink/msg.h>

#include "cnio/base/unique_fd.hpp"

#include "net_fixture.hpp"
#include "support/netlink_message.hpp"

namespace cnio::net {
namespace {

using test::MsgPtr;

class Forgery : public test::NetTest {
 protected:
  // Addresses of the namespace's NETLINK_ROUTE sockets.
  static std::set<uint32_t> ports() {
    std::ifstream list("/proc/thread-self/net/netlink");
    std::set<uint32_t> found;
    std::string line;
    std::getline(list, line);
    while (std::getline(list, line)) {
      std::istringstream words(line);
      std::string socket;
      int protocol = -1;
      uint32_t port = 0;
      words >> socket >> protocol >> port;
      if (protocol == NETLINK_ROUTE && port != 0) found.insert(port);
    }
    return found;
  }

  // Opens a socket and finds out where it is reached.
  Netlink open(const std::vector<int>& groups = {}) {
    const std::set<uint32_t> before = ports();
    auto opened = Netlink::open(NETLINK_ROUTE, groups);
    if (!opened.ok()) throw std::runtime_error(opened.error().msg());
    for (const uint32_t port : ports()) {
      if (!before.contains(port)) port_ = port;
    }
    if (port_ == 0) throw std::runtime_error("the socket is not in /proc/net/netlink");
    return std::move(opened).value();
  }

  // Sends the message to the socket under each number that its next question may have.
  void forge(int type, const void* body, size_t size, std::string_view name = {}) {
    const UniqueFd liar(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    sockaddr_nl to{};
    to.nl_family = AF_NETLINK;
    to.nl_pid = port_;
    const auto now = static_cast<uint32_t>(std::time(nullptr));
    for (uint32_t sequence = now - 5; sequence != now + 5; ++sequence) {
      const MsgPtr message(nlmsg_alloc());
      nlmsg_put(message.get(), 0, sequence, type, 0, 0);
      nlmsg_append(message.get(), const_cast<void*>(body), size, NLMSG_ALIGNTO);
      if (!name.empty()) nla_put(message.get(), IFLA_IFNAME, static_cast<int>(name.size()), name.data());
      const nlmsghdr* header = nlmsg_hdr(message.get());
      const ssize_t sent =
          sendto(liar.get(), header, header->nlmsg_len, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
      EXPECT_TRUE(sent < 0 && errno == ECONNREFUSED) << "the kernel delivered it";
    }
  }

 private:
  uint32_t port_ = 0;
};

TEST_F(Forgery, OfALinkIsNotBelieved) {
  Netlink socket = open();
  ifinfomsg info{};
  info.ifi_index = 77;
  forge(RTM_NEWLINK, &info, sizeof info, "lo");
  const nlmsgerr done{};
  forge(NLMSG_ERROR, &done, sizeof done);
  const auto found = find_link(socket, "lo");
  ASSERT_OK(found);
  ASSERT_TRUE(found.value());
  EXPECT_EQ(found.value()->index, IfIndex{1});
}

TEST_F(Forgery, OfARefusalIsNotBelieved) {
  Netlink socket = open();
  nlmsgerr refusal{};
  refusal.error = -EPERM;
  forge(NLMSG_ERROR, &refusal, sizeof refusal);
  const MsgPtr message(nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_ACK));
  ifinfomsg info{};
  info.ifi_index = 1;
  ASSERT_EQ(nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO), 0);
  EXPECT_OK(socket.transact({message.get()}, "change nothing"));
}

TEST_F(Forgery, OfANotificationIsNotHeard) {
  Netlink socket = open({RTNLGRP_LINK});
  const ifinfomsg info{};
  forge(RTM_NEWLINK, &info, sizeof info, "lo");
  const auto seen = socket.wait_for(0, [](nlmsghdr*) { return true; });
  ASSERT_OK(seen);
  EXPECT_FALSE(seen.value());
}

}  // namespace
}  // namespace cnio::net
