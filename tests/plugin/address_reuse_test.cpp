// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// An address that another pod had a moment ago works at once: everybody finds the new owner, and nobody's old
// connections reach it.
#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

constexpr int kPackets = 20;
constexpr int kServerPort = 5000;
constexpr int kPodPort = 4000;
const std::vector<std::string> kReused = {"10.1.0.2", "fd01::2"};

/// Echo requests sent at once, and at intervals so short that nobody's tables change by themselves. How many were
/// answered?
int answered(const std::string& netns, const std::string& address) {
  Command command{.argv = {"ping", "-n", "-q", "-c", std::to_string(kPackets), "-i", "0.01", "-W", "1", address}};
  command.netns = netns;
  const std::string out = run(command).out;
  const size_t end = out.find(" received");
  if (end == std::string::npos) return -1;
  return std::stoi(out.substr(out.rfind(' ', end - 1)));
}

/// Network "net" has one address of each family. "neighbour" is a pod of another network on the same bridge.
class AddressReuse : public BridgeTest {
 protected:
  AddressReuse() {
    config_["ipMasq"] = true;
    config_["ipam"]["ranges"] = one_address_ranges("2");
    Json other = config_;
    other["name"] = "others";
    other["ipam"]["ranges"] = one_address_ranges("3");
    neighbour_ = pod("neighbour");
    must_add(other, neighbour_);
    for (const char* subnet : {"10.1.0.0/24", "fd01::/64"}) outside_.learn_route(subnet);
  }

  /// Who talks to the pod: namespace and name.
  std::vector<std::pair<std::string, std::string>> clients() const {
    return {{"", "host"}, {neighbour_.netns, "neighbour"}, {outside_.netns, "outside"}};
  }

  void expect_no_loss() const {
    for (const std::string& address : kReused) {
      for (const auto& [netns, name] : clients())
        EXPECT_EQ(answered(netns, address), kPackets) << name << " " << address;
    }
  }

  /// The first owner, known to everybody. Returns its result.
  Json add_first() const {
    const Json result = must_add(config_, pod("c1"));
    expect_no_loss();
    const auto mac = result.at("interfaces").at(2).at("mac").get<std::string>();
    for (const std::string& address : kReused) {
      EXPECT_EQ(neighbour_mac(address, "br0"), mac);
      EXPECT_EQ(neighbour_mac(address, "eth0", neighbour_.netns), mac);
    }
    return result;
  }

  static std::string connections() {
    return must_run({"conntrack", "-L", "-f", "ipv4"}) + must_run({"conntrack", "-L", "-f", "ipv6"});
  }
  static bool connected(const std::string& address) {
    return connections().find("=" + address + " ") != std::string::npos;
  }

  OutsideHost outside_;
  Json config_ = dual_stack_config();
  Attachment neighbour_;
};

TEST_F(AddressReuse, NoPacketIsLostAfterDelete) {
  const Json first = add_first();
  must_del(with_prev_result(config_, first), pod("c1"));
  for (const std::string& address : kReused)
    EXPECT_EQ(neighbour_mac(address, "br0"), "") << "the host has forgotten it";
  must_add(config_, pod("c2"));
  expect_no_loss();
}

// The namespace vanishes, and nobody calls DEL: the next ADD finds what is left.
TEST_F(AddressReuse, NoPacketIsLostAfterGc) {
  add_first();
  delete_netns("c1");
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config_, {}))));
  must_add(config_, pod("c2"));
  expect_no_loss();
}

TEST_F(AddressReuse, NoPacketIsLostBetweenNeighbours) {
  add_first();
  must_del(config_, pod("c1"));
  must_add(config_, pod("c2"));
  // The pod has said nothing yet, and nobody but the neighbour talks to it.
  for (const std::string& address : kReused) EXPECT_EQ(answered(neighbour_.netns, address), kPackets) << address;
}

TEST_F(AddressReuse, ConnectionsGoWithTheirOwner) {
  add_first();
  ASSERT_EQ(seen_as(pod("c1").netns, outside_.netns, "192.0.2.2"), "192.0.2.1");
  ASSERT_EQ(seen_as(pod("c1").netns, outside_.netns, "2001:db8::2"), "2001:db8::1");
  ASSERT_EQ(seen_as(neighbour_.netns, outside_.netns, "192.0.2.2"), "192.0.2.1");
  ASSERT_EQ(seen_as(neighbour_.netns, outside_.netns, "2001:db8::2"), "2001:db8::1");
  for (const std::string& address : kReused) EXPECT_TRUE(connected(address)) << connections();
  must_del(config_, pod("c1"));
  for (const std::string& address : kReused) EXPECT_FALSE(connected(address)) << connections();
  for (const char* address : {"10.1.0.3", "fd01::3"}) EXPECT_TRUE(connected(address)) << connections();
}

// An old connection of the same ports would decide how the new one's packets are translated.
TEST_F(AddressReuse, TheSamePortsAreMasqueradedAnew) {
  PeerServer server(outside_.netns, PeerServer::Kind::kUdp, kServerPort);
  Json plain = config_;
  plain["ipMasq"] = false;
  must_add(plain, pod("c1"));
  send_from(pod("c1").netns, "192.0.2.2", kServerPort, "", kPodPort);
  ASSERT_EQ(server.next_peer(), "10.1.0.2");
  must_del(plain, pod("c1"));
  must_add(config_, pod("c2"));
  send_from(pod("c2").netns, "192.0.2.2", kServerPort, "", kPodPort);
  EXPECT_EQ(server.next_peer(), "192.0.2.1");
}

TEST_F(AddressReuse, AnswersToTheOldOwnerDoNotReachTheNewOne) {
  {
    PeerServer server(outside_.netns, PeerServer::Kind::kUdp, kServerPort);
    must_add(config_, pod("c1"));
    send_from(pod("c1").netns, "192.0.2.2", kServerPort, "", kPodPort);
    ASSERT_EQ(server.next_peer(), "192.0.2.1");
  }
  must_del(config_, pod("c1"));
  must_add(config_, pod("c2"));
  PeerServer listener(pod("c2").netns, PeerServer::Kind::kUdp, kPodPort);
  send_from(outside_.netns, "192.0.2.1", kPodPort, "", kServerPort);
  send_from("", "10.1.0.2", kPodPort);
  EXPECT_EQ(listener.next_peer(), "10.1.0.1") << "the first that comes is what was sent to this pod";
}

// A DEL that comes again, as when another plugin of the chain failed, with what it remembers of a pod long gone.
TEST_F(AddressReuse, ALateDeleteLeavesTheNewOwnerAlone) {
  const Json first = add_first();
  must_del(with_prev_result(config_, first), pod("c1"));
  must_add(config_, pod("c2"));
  expect_no_loss();
  ASSERT_EQ(seen_as(pod("c2").netns, outside_.netns, "192.0.2.2"), "192.0.2.1");
  const std::string mac = neighbour_mac("10.1.0.2", "br0");
  must_del(with_prev_result(config_, first), pod("c1"));
  EXPECT_TRUE(connected("10.1.0.2")) << connections();
  EXPECT_EQ(neighbour_mac("10.1.0.2", "br0"), mac);
}

TEST_F(AddressReuse, AFailedAddLeavesNothingInTheHostsMemory) {
  config_["runtimeConfig"]["mac"] = "02:00:00:00:00:05";
  for (const std::string& address : kReused) {
    must_run({"ip", "neigh", "add", address, "lladdr", "02:00:00:00:00:05", "dev", "br0", "nud", "permanent"});
  }
  Command full = plugin_command({"bridge", "ADD", pod("c1"), config_.dump()});
  full.stdout_path = "/dev/full";
  EXPECT_EQ(run(full).exit_code, 1);
  for (const std::string& address : kReused) EXPECT_EQ(neighbour_mac(address, "br0"), "");
}

}  // namespace
}  // namespace cnio::test
