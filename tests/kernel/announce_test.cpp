// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/net/announce.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "cnio/net/netns.hpp"

#include "net_fixture.hpp"

namespace cnio::test {
namespace {

constexpr char kMac[] = "02:00:00:00:00:02";
constexpr char kOld[] = "02:00:00:00:00:01";

/// What comes in at a link, from the test's opening on.
class Tap {
 public:
  explicit Tap(const net::Link& link) : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = static_cast<int>(link.index);
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) throw std::runtime_error("no tap");
  }
  /// The next frame of the type (ETH_P_ARP), as hexadecimal digits; empty if none comes within two seconds.
  std::string next(unsigned type) const {
    pollfd waiting{fd_.get(), POLLIN, 0};
    while (::poll(&waiting, 1, 2000) == 1) {
      std::vector<uint8_t> frame(2048);
      frame.resize(static_cast<size_t>(std::max<ssize_t>(0, ::recv(fd_.get(), frame.data(), frame.size(), 0))));
      if (frame.size() < 14 || frame[12] * 256U + frame[13] != type) continue;
      std::string text;
      for (const uint8_t byte : frame) {
        text += "0123456789abcdef"[byte / 16];
        text += "0123456789abcdef"[byte % 16];
      }
      // Hop-by-hop options: the kernel reporting its multicast groups.
      if (type == ETH_P_IPV6 && text.substr(40, 2) != "3a") continue;
      return text;
    }
    return {};
  }

 private:
  UniqueFd fd_;
};

/// eth0 is the other end of port.
class AnnounceTest : public NetTest {
 protected:
  AnnounceTest() {
    set_sysctl("net/ipv6/conf/default/accept_dad", "0");
    ip("link add port address 02:00:00:00:00:09 type veth peer name eth0 address " + std::string(kMac));
    ip("link set port up");
    ip("link set eth0 up");
  }

  static Status inside(const std::string& netns, const std::function<Status()>& work) {
    CNIO_LET(const net::Namespace there, net::Namespace::open(netns));
    return there.run(work);
  }

  static std::vector<IpAddr> addresses(const std::vector<const char*>& texts) {
    std::vector<IpAddr> out;
    for (const char* text : texts) out.push_back(*IpAddr::parse(text));
    return out;
  }
};

TEST_F(AnnounceTest, AnIpv4AddressIsAnArpRequestForItself) {
  const Tap tap(link("port"));
  ASSERT_OK(net::Announcer::open().announce(link("eth0"), addresses({"10.1.0.2"})));
  EXPECT_EQ(tap.next(ETH_P_ARP),
            "ffffffffffff"
            "020000000002"
            "0806"  // to all
            "0001"
            "0800"
            "06"
            "04"
            "0001"  // request
            "020000000002"
            "0a010002"
            "000000000000"
            "0a010002");  // its own address
}

TEST_F(AnnounceTest, AnIpv6AddressIsAnOverridingAdvertisement) {
  const Tap tap(link("port"));
  ASSERT_OK(net::Announcer::open().announce(link("eth0"), addresses({"fd01::2"})));
  std::string frame;
  do frame = tap.next(ETH_P_IPV6);
  while (!frame.empty() && frame.substr(108, 2) != "88");  // the kernel's own router solicitations
  ASSERT_EQ(frame.size(), 2 * (14 + 40 + 32));
  frame.replace(112, 4, "....");  // the checksum: judged by a kernel below
  EXPECT_EQ(frame,
            "333300000001"
            "020000000002"
            "86dd"
            "60000000"
            "0020"
            "3a"
            "ff"
            "fd010000000000000000000000000002"
            "ff020000000000000000000000000001"
            "8800"
            "...."
            "20000000"
            "fd010000000000000000000000000002"
            "0201"
            "020000000002");
}

TEST_F(AnnounceTest, NeighboursForgetTheEarlierOwner) {
  const std::string peer = add_netns("peer");
  set_sysctl("net/ipv6/conf/default/accept_dad", "0", peer);
  ip("link set port netns peer");
  ip("link set port up", peer);
  ip("addr add 10.1.0.1/24 dev port", peer);
  ip("addr add fd01::1/64 dev port nodad", peer);
  const std::vector<const char*> remembered = {"10.1.0.2", "10.1.0.254", "fd01::2", "fd01::ffff:1"};
  for (const char* address : remembered) {
    ip("neigh replace " + std::string(address) + " lladdr " + kOld + " dev port nud reachable", peer);
  }
  std::optional<net::Netlink> changes;
  ASSERT_OK(inside(peer, [&]() -> Status {
    CNIO_LET(changes, net::Netlink::open(NETLINK_ROUTE, {RTNLGRP_NEIGH}));
    return {};
  }));
  ASSERT_OK(net::Announcer::open().announce(link("eth0"), addresses(remembered)));
  const auto all_know = [&](nlmsghdr*) {
    return std::all_of(remembered.begin(), remembered.end(), [&](const char* address) {
      return ip_json({"neigh", "show", address, "dev", "port"}, peer).at(0).value("lladdr", "") == kMac;
    });
  };
  EXPECT_TRUE(all_know(nullptr) || changes->wait_for(2000, all_know).value()) << ip("neigh", peer);
}

TEST_F(AnnounceTest, WorksInTheNamespaceItWasOpenedIn) {
  const std::string pod = add_netns("pod");
  ip("link set eth0 netns pod");
  ip("link set eth0 up", pod);
  std::optional<net::Announcer> announcer;
  std::optional<net::Link> eth0;
  ASSERT_OK(inside(pod, [&]() -> Status {
    announcer = net::Announcer::open();
    CNIO_LET(net::Netlink there, net::Netlink::open(NETLINK_ROUTE));
    CNIO_LET(eth0, net::find_link(there, "eth0"));
    return {};
  }));
  const Tap tap(link("port"));
  ASSERT_OK(announcer->announce(*eth0, addresses({"10.1.0.2"})));
  EXPECT_NE(tap.next(ETH_P_ARP), "");
}

TEST_F(AnnounceTest, EachAddressIsTriedAndTheFailureNamed) {
  ip("link set eth0 down");
  const Status status = net::Announcer::open().announce(link("eth0"), addresses({"10.1.0.2", "fd01::2"}));
  EXPECT_ERROR(status, Code::kKernel, "announce 10.1.0.2 of eth0: Network is down", "announce fd01::2 of eth0");
}

}  // namespace
}  // namespace cnio::test
