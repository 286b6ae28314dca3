// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/msg.h>

#include "cnio/net/link/veth.hpp"
#include "cnio/net/sandbox.hpp"

#include "net_fixture.hpp"

namespace cnio::test {
namespace {

/// A pair "host0" - "eth0", the latter in a sandbox.
class LinkRemoval : public NetTest {
 protected:
  LinkRemoval() {
    ip("link add host0 type veth peer name eth0 netns pod");
    ip("link set host0 up");
    ip("link set eth0 up", netns_);
  }

  net::Sandbox sandbox() const { return net::Sandbox::open(netns_).value(); }
  static net::Link sandbox_end(net::Sandbox& sandbox) {
    return *net::find_link(sandbox.route(), std::string("eth0")).value();
  }

  const std::string netns_ = add_netns("pod");
};

// What remove_pair relies on: hearing of the host end means that the sandbox's end has gone before it.
TEST_F(LinkRemoval, TheKernelNotifiesOfTheOtherEndLast) {
  const int events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  sockaddr_nl everything{};
  everything.nl_family = AF_NETLINK;
  everything.nl_groups = RTMGRP_LINK;
  const int on = 1;
  ASSERT_EQ(bind(events, reinterpret_cast<const sockaddr*>(&everything), sizeof everything), 0);
  ASSERT_EQ(setsockopt(events, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof on), 0);
  net::Sandbox pod = sandbox();
  ASSERT_OK(net::remove_link(pod.route(), sandbox_end(pod)));

  std::vector<std::string> gone;
  alignas(nlmsghdr) char buffer[1 << 16];
  for (ssize_t got = 0; (got = recv(events, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
    auto* header = reinterpret_cast<nlmsghdr*>(buffer);
    for (int left = static_cast<int>(got); nlmsg_ok(header, left); header = nlmsg_next(header, &left)) {
      if (header->nlmsg_type != RTM_DELLINK) continue;
      auto* attribute = IFLA_RTA(NLMSG_DATA(header));
      int size = static_cast<int>(IFLA_PAYLOAD(header));
      for (; RTA_OK(attribute, size); attribute = RTA_NEXT(attribute, size)) {
        if (attribute->rta_type == IFLA_IFNAME) gone.emplace_back(static_cast<const char*>(RTA_DATA(attribute)));
      }
    }
  }
  close(events);
  EXPECT_THAT(gone, ::testing::ElementsAre("eth0", "host0"));
}

TEST_F(LinkRemoval, BothEndsAreGoneWhenItReturns) {
  for (int i = 0; i < 20; ++i) {
    net::Sandbox pod = sandbox();
    ASSERT_OK(net::remove_pair(route(), link("host0"), pod.route(), sandbox_end(pod)));
    ASSERT_TRUE(find_link("host0").is_null());
    ASSERT_TRUE(find_link("eth0", netns_).is_null());
    ip("link add host0 type veth peer name eth0 netns pod");
  }
}

TEST_F(LinkRemoval, OfWhatIsGoneIsSuccess) {
  net::Sandbox pod = sandbox();
  const net::Link host_end = link("host0");
  const net::Link other = sandbox_end(pod);
  ip("link del host0");
  // At once: nobody notifies of it any more.
  for (int i = 0; i < 30; ++i) EXPECT_OK(net::remove_pair(route(), host_end, pod.route(), other));
}

}  // namespace
}  // namespace cnio::test
