// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// What ADD of ptp needs of the host's settings, and what the host hears of a pod.
#include <arpa/inet.h>
#include <functional>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plugin/ptp_fixture.hpp"

namespace cnio::test {
namespace {

using ::testing::IsEmpty;

class PtpHost : public PtpTest {};

class ReadOnlySettings {
 public:
  ReadOnlySettings() {
    must_run({"mount", "--bind", "/proc/sys", "/proc/sys"});
    must_run({"mount", "-o", "remount,bind,ro", "/proc/sys"});
  }
  ~ReadOnlySettings() { must_run({"umount", "/proc/sys"}); }
};

TEST_F(PtpHost, ForwardingThatCannotBeSwitchedOn) {
  PARITY("T-M25 M5");
  pod();
  const Snapshot before = Snapshot::of_host().without_cursors();
  {
    const ReadOnlySettings settings;
    EXPECT_TRUE(failed(add(ptp_config(), pod()), code::kIo, {"ip_forward"}));
    EXPECT_FALSE(store_holds("10.1.0.2"));
    EXPECT_THAT(link_names(pod().netns), IsEmpty());
  }
  EXPECT_TRUE(same(before, Snapshot::of_host().without_cursors()));
}

TEST_F(PtpHost, ReadOnlySettingsAreNoObstacleIfForwardingIsOn) {
  PARITY("T-M25");
  set_sysctl("net/ipv4/ip_forward", "1");
  set_sysctl("net/ipv6/conf/all/forwarding", "1");
  const ReadOnlySettings settings;
  must_add(dual_ptp_config(), pod());
  expect_reached(pod().netns, "10.1.0.2", "10.1.0.1");
}

TEST_F(PtpHost, ForwardingThatIsOffForNewInterfacesIsSwitchedOn) {
  set_sysctl("net/ipv4/ip_forward", "1");
  set_sysctl("net/ipv4/conf/default/forwarding", "0");
  const Json config = dual_ptp_config();
  const Json result = must_add(config, pod());
  EXPECT_EQ(sysctl("net/ipv4/conf/" + host_end(result) + "/forwarding"), "1");
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod())));
  const ReadOnlySettings settings;
  EXPECT_TRUE(failed(add(config, pod("c2")), code::kIo, {"forwarding"}));
  EXPECT_THAT(link_names(pod("c2").netns), IsEmpty());
}

TEST_F(PtpHost, Ipv6ThatIsOffForNewInterfacesIsSwitchedOn) {
  PARITY("T-M29 M33");
  for (const std::string& place : {std::string(), pod("c2").netns})
    set_sysctl("net/ipv6/conf/default/disable_ipv6", "1", place);
  for (const char* id : {"c1", "c2"}) {
    const Json result = must_add(ptp_config({"fd01::/64"}), pod(id));
    EXPECT_TRUE(ping(pod(id).netns, "fd01::1")) << id;
    EXPECT_TRUE(ping("", address_of(result))) << id;
  }
  const Json result = must_add(ptp_config(), pod("c3"));
  EXPECT_EQ(sysctl("net/ipv6/conf/" + host_end(result) + "/disable_ipv6"), "1") << "it has no use for it";
}

TEST_F(PtpHost, TheHostIsDeafToRouterAdvertisementsOfPods) {
  const Json result = must_add(dual_ptp_config(), pod());
  EXPECT_EQ(sysctl("net/ipv6/conf/" + host_end(result) + "/accept_ra"), "0");
  // From the moment at which the pod could send any: an IPAM plugin that uses the link has it up.
  FakeIpam fake;
  fake.script("ADD", {{.out = answer_of("fd02::2/64", "fd02::1").dump(),
                       .hook = "! grep -qv 0 /proc/sys/net/ipv6/conf/veth*/accept_ra"}});
  ASSERT_TRUE(succeeded(run(with_fake(fake, "ADD", fake_ptp(), pod("c2")))));
}

// ---- announcements

// Hears all that comes to the host, from its making on.
class Ear {
 public:
  Ear() : socket_(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL))) {}

  ~Ear() { close(socket_); }
  Ear(const Ear&) = delete;
  Ear& operator=(const Ear&) = delete;

  // Waits for a packet that counts; it is given without its link layer.
  bool hears(uint16_t protocol, const std::function<bool(std::string_view)>& counts) {
    for (;;) {
      pollfd wait{socket_, POLLIN, 0};
      if (poll(&wait, 1, kPatienceMs) <= 0) return false;
      char buffer[2048];
      sockaddr_ll from{};
      socklen_t size = sizeof from;
      const ssize_t got = recvfrom(socket_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got <= 0) return false;
      const std::string_view packet(static_cast<const char*>(buffer), static_cast<size_t>(got));
      if (from.sll_protocol == htons(protocol) && counts(packet)) return true;
    }
  }

 private:
  static constexpr int kPatienceMs = 20'000;
  int socket_;
};

std::string bytes_of(int family, const char* address) {
  char bytes[16] = {};
  EXPECT_EQ(inet_pton(family, address, static_cast<char*>(bytes)), 1);
  return {static_cast<const char*>(bytes), family == AF_INET ? size_t{4} : size_t{16}};
}

TEST_F(PtpHost, AddressesAreAnnouncedToTheHost) {
  PARITY("T-M30 M22");
  Ear ipv4;
  Ear ipv6;
  must_add(dual_ptp_config(), pod());
  // RFC 5227, section 3: sender and target are the same.
  const std::string four = bytes_of(AF_INET, "10.1.0.2");
  EXPECT_TRUE(ipv4.hears(ETH_P_ARP, [&](std::string_view packet) {
    return packet.size() >= 28 && packet.substr(14, 4) == four && packet.substr(24, 4) == four;
  }));
  // RFC 4861, section 4.4: an advertisement (136) for the target.
  const std::string six = bytes_of(AF_INET6, "fd01::2");
  EXPECT_TRUE(ipv6.hears(ETH_P_IPV6, [&](std::string_view packet) {
    return packet.size() >= 64 && packet[40] == '\x88' && packet.substr(48, 16) == six;
  }));
}

TEST_F(PtpHost, AnAddressThatAnotherPodHadWorksAtOnce) {
  PARITY("T-M30");
  Json config = dual_ptp_config();
  config["ipam"]["ranges"] = one_address_ranges("2");
  for (const char* id : {"c1", "c2", "c3"}) {
    must_add(config, pod(id));
    for (const char* address : {"10.1.0.2", "fd01::2"}) EXPECT_TRUE(ping("", address)) << id;
    must_del(config, pod(id));
  }
}

}  // namespace
}  // namespace cnio::test
