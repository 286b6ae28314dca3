// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// What masquerading does to packets: which source address the other side sees.
#include "masquerade_fixture.hpp"
#include "support/peer.hpp"

namespace cnio::test {
namespace {

constexpr int kPort = 5000;

/// Pods (10.1.0.0/24, fd00:1::/64) behind the test's own host, which routes to an outside host (192.0.2.0/24,
/// 2001:db8::/64). The outside host knows the way back to the pods, so that an unchanged source can be answered.
class MasqueradeTraffic : public MasqueradeTest {
 protected:
  MasqueradeTraffic() {
    usable_at_once("");
    must_run({"ip", "link", "add", "cnio0", "type", "bridge"});
    must_run({"ip", "link", "set", "cnio0", "up"});
    give("cnio0", "", {"10.1.0.1/24", "fd00:1::1/64"});
    set_sysctl("net/ipv4/ip_forward", "1");
    set_sysctl("net/ipv6/conf/all/forwarding", "1");
    outside = add_host("outside", "uplink");
    give("uplink", "", {"192.0.2.1/24", "2001:db8::1/64"});
    give("eth0", outside, {"192.0.2.2/24", "2001:db8::2/64"});
    must_run({"ip", "route", "add", "10.1.0.0/24", "via", "192.0.2.1"}, outside);
    must_run({"ip", "route", "add", "fd00:1::/64", "via", "2001:db8::1"}, outside);
  }

  /// Links made from now on have their link-local addresses, which neighbour discovery needs, without waiting.
  static void usable_at_once(const std::string& netns) { set_sysctl("net/ipv6/conf/default/accept_dad", "0", netns); }

  /// A namespace with eth0, whose other end is a link of the host.
  static std::string add_host(const std::string& name, const std::string& host_end) {
    const std::string path = add_netns(name);
    usable_at_once(path);
    must_run({"ip", "link", "add", host_end, "type", "veth", "peer", "name", "eth0", "netns", name});
    must_run({"ip", "link", "set", host_end, "up"});
    must_run({"ip", "link", "set", "lo", "up"}, path);
    must_run({"ip", "link", "set", "eth0", "up"}, path);
    return path;
  }

  static void give(const std::string& link, const std::string& netns, const std::vector<std::string>& addresses) {
    for (const auto& address : addresses) must_run({"ip", "address", "add", address, "dev", link, "nodad"}, netns);
  }

  static std::string add_pod(const std::string& name, const std::vector<std::string>& addresses) {
    const std::string path = add_host(name, "v" + name);
    must_run({"ip", "link", "set", "v" + name, "master", "cnio0"});
    give("eth0", path, addresses);
    must_run({"ip", "route", "add", "default", "via", "10.1.0.1"}, path);
    must_run({"ip", "-6", "route", "add", "default", "via", "fd00:1::1"}, path);
    return path;
  }

  /// Gives the outside host one more address, and the host a route to it.
  void add_outside_address(const std::string& address, const std::string& via) {
    must_run({"ip", "address", "add", address, "dev", "lo"}, outside);
    must_run({"ip", "route", "add", address, "via", via});
  }

  std::string outside;
};

TEST_F(MasqueradeTraffic, OutsideSeesTheHost) {
  const std::string pod = add_pod("p1", {"10.1.0.2/24", "fd00:1::2/64"});
  EXPECT_EQ(seen_as(pod, outside, "192.0.2.2"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod, outside, "2001:db8::2"), "fd00:1::2");
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  EXPECT_EQ(seen_as(pod, outside, "192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_as(pod, outside, "2001:db8::2"), "2001:db8::1");
  ASSERT_OK(remove(identity("c1")));
  EXPECT_EQ(seen_as(pod, outside, "192.0.2.2"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod, outside, "2001:db8::2"), "fd00:1::2");
}

TEST_F(MasqueradeTraffic, OnlyTheGivenAddressIsMasqueraded) {
  const std::string pod = add_pod("p1", {"10.1.0.2/24", "fd00:1::2/64"});
  const std::string other = add_pod("p2", {"10.1.0.3/24", "fd00:1::3/64"});
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  EXPECT_EQ(seen_as(pod, outside, "192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_as(pod, outside, "2001:db8::2"), "fd00:1::2");
  EXPECT_EQ(seen_as(other, outside, "192.0.2.2"), "10.1.0.3");
}

TEST_F(MasqueradeTraffic, OwnSubnetSeesThePod) {
  const std::string pod = add_pod("p1", {"10.1.0.2/24", "fd00:1::2/64"});
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"})));
  // Addresses of the pod's own subnet that are reached through the host all the same.
  add_outside_address("10.1.0.200/32", "192.0.2.2");
  add_outside_address("fd00:1::200/128", "2001:db8::2");
  must_run({"ip", "route", "add", "10.1.0.200/32", "via", "10.1.0.1"}, pod);
  must_run({"ip", "route", "add", "fd00:1::200/128", "via", "fd00:1::1"}, pod);
  EXPECT_EQ(seen_as(pod, outside, "10.1.0.200"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod, outside, "fd00:1::200"), "fd00:1::2");
  EXPECT_EQ(seen_as(pod, outside, "192.0.2.2"), "192.0.2.1");
}

TEST_F(MasqueradeTraffic, ExcludedDestinationsSeeThePod) {
  const std::string pod = add_pod("p1", {"10.1.0.2/24", "fd00:1::2/64"});
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24", "fd00:1::2/64"}, {"10.0.0.0/13", "198.51.100.7/32", "fd00::/20"})));
  for (const char* address : {"10.7.255.1/32", "10.8.0.1/32", "198.51.100.7/32", "198.51.100.8/32"}) {
    add_outside_address(address, "192.0.2.2");
  }
  add_outside_address("fd00:fff::1/128", "2001:db8::2");
  add_outside_address("fd00:1000::1/128", "2001:db8::2");
  EXPECT_EQ(seen_as(pod, outside, "10.7.255.1"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod, outside, "10.8.0.1"), "192.0.2.1") << "the first address behind 10.0.0.0/13";
  EXPECT_EQ(seen_as(pod, outside, "198.51.100.7"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod, outside, "198.51.100.8"), "192.0.2.1");
  EXPECT_EQ(seen_as(pod, outside, "fd00:fff::1"), "fd00:1::2");
  EXPECT_EQ(seen_as(pod, outside, "fd00:1000::1"), "2001:db8::1") << "the first address behind fd00::/20";
}

TEST_F(MasqueradeTraffic, MulticastSeesThePod) {
  // The host itself plays the pod, since forwarding multicast takes a routing daemon; the packets take the same chain.
  give("lo", "", {"10.1.0.2/32"});
  must_run({"ip", "route", "add", "239.1.2.3/32", "dev", "uplink", "src", "10.1.0.2"});
  must_run({"ip", "route", "change", "192.0.2.0/24", "dev", "uplink", "src", "10.1.0.2"});
  ASSERT_OK(install(spec("c1", {"10.1.0.2/24"})));
  PeerServer group(outside, PeerServer::Kind::kUdp, kPort, "239.1.2.3", "eth0");
  send_from("", "192.0.2.2", kPort);
  EXPECT_EQ(group.next_peer(), "192.0.2.1") << "unicast from the same address is masqueraded";
  send_from("", "239.1.2.3", kPort);
  EXPECT_EQ(group.next_peer(), "10.1.0.2");
}

TEST_F(MasqueradeTraffic, AmongAThousandAttachmentsEachIsFound) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_OK(install(
        spec("c" + std::to_string(i), {"10.2." + std::to_string(i / 250) + "." + std::to_string(i % 250) + "/16"})));
  }
  const std::string pod = add_pod("p1", {"10.1.0.2/24", "fd00:1::2/64"});
  EXPECT_EQ(seen_as(pod, outside, "192.0.2.2"), "10.1.0.2");
  ASSERT_OK(install(spec("c1000", {"10.1.0.2/24"})));
  EXPECT_EQ(seen_as(pod, outside, "192.0.2.2"), "192.0.2.1");
}

TEST_F(MasqueradeTraffic, IptablesFormDoesTheSame) {
  PARITY("T66");
  const std::string pod = add_pod("p1", {"10.1.0.2/24", "fd00:1::2/64"});
  auto what = spec("c1", {"10.1.0.2/24", "fd00:1::2/64"}, {"198.51.100.7/32"});
  what.backend = firewall::MasqueradeBackend::kIptables;
  ASSERT_OK(install(what));
  add_outside_address("198.51.100.7/32", "192.0.2.2");
  add_outside_address("10.1.0.200/32", "192.0.2.2");
  must_run({"ip", "route", "add", "10.1.0.200/32", "via", "10.1.0.1"}, pod);
  EXPECT_EQ(seen_as(pod, outside, "192.0.2.2"), "192.0.2.1");
  EXPECT_EQ(seen_as(pod, outside, "2001:db8::2"), "2001:db8::1");
  EXPECT_EQ(seen_as(pod, outside, "198.51.100.7"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod, outside, "10.1.0.200"), "10.1.0.2");
  ASSERT_OK(remove(what.who, {"10.1.0.2", "fd00:1::2"}));
  EXPECT_EQ(seen_as(pod, outside, "192.0.2.2"), "10.1.0.2");
  EXPECT_EQ(seen_as(pod, outside, "2001:db8::2"), "fd00:1::2");
}

}  // namespace
}  // namespace cnio::test
