// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Answers that a kernel does not give: none is read beyond its end, or believed more than it says.
#include <cerrno>
#include <climits>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <gtest/gtest.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "cnio/net/address.hpp"
#include "cnio/net/link/bridge_vlan.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"

#include "support/forged_kernel/forged_kernel.hpp"
#include "support/matchers.hpp"
#include "support/netlink_message.hpp"

namespace cnio::net {
namespace {

using test::make_message;
using test::MsgPtr;

template <class Body>
MsgPtr make_message(int type, int flags, Body body) {
  MsgPtr message = make_message(type, flags);
  EXPECT_EQ(nlmsg_append(message.get(), &body, sizeof body, NLMSG_ALIGNTO), 0);
  return message;
}

std::string bytes_of(const MsgPtr& message) {
  const nlmsghdr* header = nlmsg_hdr(message.get());
  return {reinterpret_cast<const char*>(header), NLMSG_ALIGN(header->nlmsg_len)};
}

std::string acknowledgement(int error = 0) {
  nlmsgerr body{};
  body.error = error;
  return bytes_of(make_message(NLMSG_ERROR, 0, body));
}

std::string end_of_dump(int error = 0) { return bytes_of(make_message(NLMSG_DONE, NLM_F_MULTI, error)); }

// With all of what is behind its end within the message set.
void put_cut(const MsgPtr& message, int type, size_t length) {
  const nlattr* attribute = nla_reserve(message.get(), type, static_cast<int>(length));
  ASSERT_NE(attribute, nullptr);
  std::memset(nla_data(attribute), 0xff, NLA_ALIGN(length));
}

Netlink open_socket() {
  auto opened = Netlink::open(NETLINK_ROUTE);
  EXPECT_OK(opened);
  return std::move(opened).value();
}

Status ask() {
  Netlink socket = open_socket();
  return socket.request(make_message(RTM_NEWLINK, 0, ifinfomsg{}).get(), "ask");
}

Status dump() {
  Netlink socket = open_socket();
  return socket.query(make_message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}).get(), "list", [](nlmsghdr&) {});
}

Status batch() {
  Netlink socket = open_socket();
  return socket.transact({make_message(RTM_NEWLINK, NLM_F_ACK, ifinfomsg{}).get()}, "change");
}

TEST(NetlinkAnswers, AnErrorThatIsNoErrnoIsABreachOfTheProtocol) {
  for (const int error : {1, -4096, INT_MAX, INT_MIN}) {
    for (const auto& call : {ask, batch}) {
      const test::ForgedKernel kernel({acknowledgement(error)});
      const Status status = call();
      EXPECT_ERROR(status, Code::kKernel, "Protocol error");
      EXPECT_EQ(status.error().errnum(), EPROTO) << error;
    }
  }
  const test::ForgedKernel kernel({end_of_dump(INT_MIN)});
  EXPECT_ERROR(dump(), Code::kKernel, "list: Protocol error");
}

TEST(NetlinkAnswers, ErrnosAreKept) {
  const test::ForgedKernel kernel(
      {acknowledgement(-EPERM), acknowledgement(-4095), end_of_dump(-EBUSY), acknowledgement(-EPERM)});
  EXPECT_EQ(ask().error().errnum(), EPERM);
  EXPECT_EQ(ask().error().errnum(), 4095);
  EXPECT_EQ(dump().error().errnum(), EBUSY);
  EXPECT_EQ(batch().error().errnum(), EPERM);
}

TEST(NetlinkAnswers, AnAcknowledgementOfABatchThatIsTooShortSaysNothing) {
  const test::ForgedKernel kernel({bytes_of(make_message(NLMSG_ERROR, 0, -EPERM)) + acknowledgement()});
  EXPECT_OK(batch());
}

TEST(NetlinkAnswers, AnAttributeThatIsTooShortIsNotReadBeyondItsEnd) {
  const MsgPtr answer = make_message(RTM_NEWLINK, 0, ifinfomsg{});
  ASSERT_EQ(nla_put_string(answer.get(), IFLA_IFNAME, "p0"), 0);
  put_cut(answer, IFLA_MTU, 1);
  put_cut(answer, IFLA_OPERSTATE, 0);
  put_cut(answer, IFLA_MASTER, 2);
  const test::ForgedKernel kernel({bytes_of(answer) + acknowledgement()});
  Netlink socket = open_socket();
  const auto found = find_link(socket, "p0");
  ASSERT_OK(found);
  ASSERT_TRUE(found.value());
  EXPECT_EQ(found.value()->mtu, 0xffU);
  EXPECT_EQ(found.value()->master, IfIndex{0xffff});
}

TEST(NetlinkAnswers, AnAddressThatIsTooShortIsNotReadBeyondItsEnd) {
  ifaddrmsg about{};
  about.ifa_family = AF_INET6;
  about.ifa_prefixlen = 64;
  about.ifa_index = 7;
  const MsgPtr answer = make_message(RTM_NEWADDR, NLM_F_MULTI, about);
  put_cut(answer, IFA_ADDRESS, 2);
  const test::ForgedKernel kernel({bytes_of(answer) + end_of_dump()});
  Netlink socket = open_socket();
  Link link;
  link.index = IfIndex{7};
  const auto addresses = list_addresses(socket, link);
  ASSERT_OK(addresses);
  ASSERT_EQ(addresses.value().size(), 1U);
  EXPECT_EQ(addresses.value()[0].cidr.to_string(), "ffff::/64");
}

TEST(NetlinkAnswers, VlansThatCannotBeAreLeftOut) {
  br_vlan_msg about{};
  about.family = AF_BRIDGE;
  const MsgPtr answer = make_message(RTM_NEWVLAN, NLM_F_MULTI, about);
  const auto put_range = [&](uint16_t first, uint16_t last) {
    nlattr* entry = nla_nest_start(answer.get(), BRIDGE_VLANDB_ENTRY);
    const bridge_vlan_info info = {0, first};
    ASSERT_EQ(nla_put(answer.get(), BRIDGE_VLANDB_ENTRY_INFO, sizeof info, &info), 0);
    ASSERT_EQ(nla_put_u16(answer.get(), BRIDGE_VLANDB_ENTRY_RANGE, last), 0);
    nla_nest_end(answer.get(), entry);
  };
  put_range(0, 2);
  put_range(4093, 65535);
  put_range(9, 8);
  const test::ForgedKernel kernel({bytes_of(answer) + end_of_dump()});
  Netlink socket = open_socket();
  const auto vlans = list_port_vlans(socket, Link());
  ASSERT_OK(vlans);
  EXPECT_EQ(to_string(vlans.value()), "1-2, 4093-4094");
}

TEST(NetlinkAnswers, APortThatIsGoneHasNoVlans) {
  const test::ForgedKernel kernel({end_of_dump(-ENODEV)});
  Netlink socket = open_socket();
  const auto vlans = list_port_vlans(socket, Link());
  ASSERT_OK(vlans);
  EXPECT_EQ(to_string(vlans.value()), "none");
}

}  // namespace
}  // namespace cnio::net
