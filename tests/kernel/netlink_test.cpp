// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/netlink.hpp"

#include <cerrno>
#include <linux/rtnetlink.h>
#include <set>

#include <netlink/msg.h>

#include "cnio/net/netns.hpp"

#include "net_fixture.hpp"
#include "support/netlink_message.hpp"

namespace cnio::net {
namespace {

using test::make_message;
using test::MsgPtr;

class NetlinkTest : public test::NetTest {
 protected:
  static MsgPtr link_request(int type, int flags, int index = 0) {
    MsgPtr message = make_message(type, flags);
    ifinfomsg info{};
    info.ifi_index = index;
    EXPECT_EQ(nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO), 0);
    return message;
  }
  // Indices of all links of the socket's namespace.
  static std::set<int> indices(Netlink& socket) {
    std::set<int> out;
    const MsgPtr message = link_request(RTM_GETLINK, NLM_F_DUMP);
    const auto add = [&](nlmsghdr& answer) {
      out.insert(static_cast<const ifinfomsg*>(nlmsg_data(&answer))->ifi_index);
    };
    EXPECT_OK(socket.query(message.get(), "list", add, [&] { out.clear(); }));
    return out;
  }
};

TEST_F(NetlinkTest, AGetOfSomethingAbsentIsAnErrorWithItsErrno) {
  const MsgPtr message = link_request(RTM_GETLINK, 0, 4711);
  int answers = 0;
  const Status status = route().query(message.get(), "look up number 4711", [&](nlmsghdr&) { ++answers; });
  EXPECT_ERROR(status, Code::kKernel, "look up number 4711: No such device");
  EXPECT_EQ(status.error().errnum(), ENODEV);
  EXPECT_EQ(answers, 0);
}

TEST_F(NetlinkTest, AGetHasOneAnswer) {
  const MsgPtr message = link_request(RTM_GETLINK, 0, 1);
  int answers = 0;
  EXPECT_OK(route().query(message.get(), "look up lo", [&](nlmsghdr& answer) {
    EXPECT_EQ(answer.nlmsg_type, RTM_NEWLINK);
    ++answers;
  }));
  EXPECT_EQ(answers, 1);
}

TEST_F(NetlinkTest, ARefusedRequestKeepsErrnoAndTheKernelsSentence) {
  // 10.0.0.1/8: the kernel explains what is wrong in an extended acknowledgement.
  const MsgPtr message = make_message(RTM_NEWROUTE, NLM_F_CREATE);
  rtmsg route_header{};
  route_header.rtm_family = AF_INET;
  route_header.rtm_dst_len = 8;
  route_header.rtm_table = RT_TABLE_MAIN;
  route_header.rtm_type = RTN_UNICAST;
  ASSERT_EQ(nlmsg_append(message.get(), &route_header, sizeof route_header, NLMSG_ALIGNTO), 0);
  const uint32_t with_host_bits = htonl(0x0a000001);
  ASSERT_EQ(nla_put(message.get(), RTA_DST, sizeof with_host_bits, &with_host_bits), 0);
  const Status status = route().request(message.get(), "add it");
  EXPECT_ERROR(status, Code::kKernel, "add it: Invalid argument (Invalid prefix for given prefix length)");
  EXPECT_EQ(status.error().errnum(), EINVAL);
}

TEST_F(NetlinkTest, ASocketServesAfterFailures) {
  for (int i = 0; i < 3; ++i) {
    const MsgPtr absent = link_request(RTM_GETLINK, 0, 4711);
    EXPECT_ERROR(route().query(absent.get(), "look up", [](nlmsghdr&) {}), Code::kKernel);
    EXPECT_EQ(indices(route()).count(1), 1U);
  }
}

TEST_F(NetlinkTest, ActsInTheNamespaceItWasOpenedIn) {
  const std::string other = test::add_netns("other");
  ip("link add in0 type bridge", other);
  ip("link add in1 type bridge", other);
  Netlink& here = route();
  const auto netns = Namespace::open(other);
  ASSERT_OK(netns);
  EXPECT_OK(netns.value().run([&]() -> Status {
    EXPECT_EQ(indices(here).size(), 1U);  // lo
    CNIO_LET(Netlink there, Netlink::open(NETLINK_ROUTE));
    EXPECT_EQ(indices(there).size(), 3U);
    return {};
  }));
}

// More than fits one message, and than one receive call takes.
TEST_F(NetlinkTest, ALargeDumpIsComplete) {
  std::string lines;
  for (int i = 0; i < 1000; ++i) {
    lines += "link add a" + std::to_string(i) + " type veth peer name b" + std::to_string(i) + "\n";
  }
  ip_batch(lines);
  EXPECT_EQ(indices(route()).size(), 2001U);
  EXPECT_EQ(indices(route()).size(), 2001U);  // and again, on the same socket
}

// A dump of several parts, and changes of the list while it is read.
class InterruptedDumpTest : public NetlinkTest {
 protected:
  InterruptedDumpTest() {
    std::string lines;
    for (int i = 0; i < 100; ++i) {
      lines += "link add a" + std::to_string(i) + " type veth peer name b" + std::to_string(i) + "\n";
    }
    ip_batch(lines);
  }
  // Lists all links; in each of the first `disturbed` attempts a bridge is added after the first answer.
  Status list(int disturbed) {
    const MsgPtr message = link_request(RTM_GETLINK, NLM_F_DUMP);
    const auto add = [&](nlmsghdr& answer) {
      if (seen_.empty() && restarts_ < disturbed) ip("link add br" + std::to_string(restarts_) + " type bridge");
      seen_.insert(static_cast<const ifinfomsg*>(nlmsg_data(&answer))->ifi_index);
    };
    return route().query(message.get(), "list interfaces", add, [&] {
      seen_.clear();
      ++restarts_;
    });
  }
  std::set<int> seen_;
  int restarts_ = 0;
};

TEST_F(InterruptedDumpTest, IsDoneAgain) {
  EXPECT_OK(list(2));
  EXPECT_EQ(restarts_, 2);
  EXPECT_EQ(seen_.size(), 203U);  // lo, the pairs, the two that came in between
}

TEST_F(InterruptedDumpTest, IsAnErrorIfItNeverComesThrough) {
  EXPECT_ERROR(list(1000), Code::kTryAgain, "list interfaces: the list kept changing while it was read");
  EXPECT_EQ(restarts_, 9);
}

TEST_F(NetlinkTest, WaitsForANotificationUpToItsTime) {
  auto events = Netlink::open(NETLINK_ROUTE, {RTNLGRP_LINK});
  ASSERT_OK(events);
  const auto any = [](nlmsghdr*) { return true; };
  const auto nothing = events.value().wait_for(1, any);
  ASSERT_OK(nothing);
  EXPECT_FALSE(nothing.value());
  ip("link add br0 type bridge");
  bool named = false;
  const auto found = events.value().wait_for(10'000, [&](nlmsghdr* message) {
    named = message != nullptr && message->nlmsg_type == RTM_NEWLINK;
    return named;
  });
  ASSERT_OK(found);
  EXPECT_TRUE(found.value());
}

// Between the kernel's word that it dropped some and the last that it kept, it drops more without a word.
TEST_F(NetlinkTest, NotificationsThatAreLostWhileOthersAreReadAreMadeUpFor) {
  add_veth("busy0", "busy1");
  auto opened = Netlink::open(NETLINK_ROUTE, {RTNLGRP_LINK});
  ASSERT_OK(opened);
  std::string lines;
  for (int i = 0; i < 10'000; ++i) lines += "link set busy0 mtu 1400\nlink set busy0 mtu 1500\n";
  ip_batch(lines);
  int told = 0;
  const auto seen = opened.value().wait_for(1000, [&](nlmsghdr* message) {
    if (message == nullptr && ++told == 1) ip("link add late type bridge");
    return told == 2;
  });
  ASSERT_OK(seen);
  EXPECT_TRUE(seen.value());
}

}  // namespace
}  // namespace cnio::net
