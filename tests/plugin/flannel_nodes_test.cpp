// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Three nodes with the objects that flanneld makes for its backend vxlan, for both families, and the configuration that
// kube-flannel and k3s write.
#include <deque>

#include "plugin/flannel_fixture.hpp"

namespace cnio::test {
namespace {

struct Node {
  int number;
  std::string netns;
  std::string store;
  std::string run;

  std::string name() const { return "node" + std::to_string(number); }
  std::string address() const { return "192.168.50." + std::to_string(10 + number); }
  std::string address6() const { return "fd50::" + std::to_string(10 + number); }
  std::string vtep() const { return "10.244." + std::to_string(number) + ".0"; }
  std::string vtep6() const { return "fd01:0:0:" + std::to_string(number) + "::"; }
  std::string subnet() const { return vtep() + "/24"; }
  std::string subnet6() const { return vtep6() + "/64"; }
  std::string pod_address() const { return "10.244." + std::to_string(number) + ".2"; }
  std::string pod_address6() const { return vtep6() + "2"; }
  std::string pod_name() const { return "pod" + std::to_string(number); }
  std::string mac(const std::string& family) const { return "02:00:00:0" + family + ":00:0" + std::to_string(number); }
};

class FlannelNodes : public BridgeTest, public ::testing::WithParamInterface<const char*> {
 protected:
  FlannelNodes() {
    must_run({"ip", "link", "add", "wire", "type", "bridge"});
    must_run({"ip", "link", "set", "wire", "up"});
    for (int number = 1; number <= 3; ++number) add_node(number);
    for (const Node& here : nodes_) {
      for (const Node& there : nodes_) {
        if (here.number != there.number) connect(here, there);
      }
    }
    std::filesystem::create_directories("/var/lib/cni");
    std::filesystem::create_directories("/run/flannel");
  }

  void add_node(int number) {
    const std::string name = "node" + std::to_string(number);
    nodes_.push_back({number, add_netns(name), make_folder(name), make_folder(name + "-run")});
    const Node& node = nodes_.back();
    write_file(node.run + "/subnet.env", subnet_env(std::to_string(number)));
    must_run({"ip", "link", "add", name, "master", "wire", "type", "veth", "peer", "name", "eth0", "netns", name});
    must_run({"ip", "link", "set", name, "up"});
    must_run({"ip", "link", "set", "lo", "up"}, node.netns);
    must_run({"ip", "addr", "add", node.address() + "/24", "dev", "eth0"}, node.netns);
    must_run({"ip", "addr", "add", node.address6() + "/64", "dev", "eth0", "nodad"}, node.netns);
    must_run({"ip", "link", "set", "eth0", "up"}, node.netns);
    add_vxlan(node, "flannel.1", "4", node.address(), node.vtep() + "/32");
    add_vxlan(node, "flannel-v6.1", "6", node.address6(), node.vtep6() + "/128");
  }

  static void add_vxlan(const Node& node, const std::string& link, const std::string& family, const std::string& local,
                        const std::string& address) {
    must_run({"ip", "link", "add", link, "address", node.mac(family), "mtu", "1450", "type", "vxlan", "id", "1",
              "local", local, "dev", "eth0", "nolearning", "dstport", "8472"},
             node.netns);
    must_run({"ip", "addr", "add", address, "dev", link}, node.netns);
    must_run({"ip", "link", "set", link, "up"}, node.netns);
  }

  /// What flanneld does on `here` when it hears of `there`.
  static void connect(const Node& here, const Node& there) {
    const auto reach = [&](const std::string& link, const std::string& family, const std::string& vtep,
                           const std::string& node, const std::string& subnet) {
      must_run({"ip", "neigh", "add", vtep, "lladdr", there.mac(family), "dev", link, "nud", "permanent"}, here.netns);
      must_run({"bridge", "fdb", "add", there.mac(family), "dev", link, "dst", node, "self", "permanent"}, here.netns);
      must_run({"ip", "route", "add", subnet, "via", vtep, "dev", link, "onlink"}, here.netns);
    };
    reach("flannel.1", "4", there.vtep(), there.address(), there.subnet());
    reach("flannel-v6.1", "6", there.vtep6(), there.address6(), there.subnet6());
  }

  /// The first plugin of the chain, as a runtime calls it.
  static Json config() {
    const Json list = Json::parse(read_file(examples_dir() + "/" + GetParam()));
    Json config = list.at("plugins").at(0);
    config["name"] = list.at("name");
    config["cniVersion"] = list.at("cniVersion");
    return config;
  }

  Outcome run_on(const Node& node, const std::string& verb) {
    Command command = plugin_command({"flannel", verb, pod(node.pod_name()), config().dump()});
    command.netns = node.netns;
    command.binds = {{node.store, "/var/lib/cni"}, {node.run, "/run/flannel"}};
    return run(command);
  }

  static Outcome probe(const std::string& netns, const std::string& address, int size) {
    return run({{"ip", "netns", "exec", netns, "ping", "-c", "1", "-W", "2", "-M", "do", "-s", std::to_string(size),
                 address}});
  }

  std::deque<Node> nodes_;
};

INSTANTIATE_TEST_SUITE_P(Chain, FlannelNodes, ::testing::Values("10-flannel.conflist", "10-flannel-k3s.conflist"),
                         [](const auto& test) { return identifier(test.param); });

TEST_P(FlannelNodes, PodsSeeEachOtherUnderTheirOwnAddresses) {
  PARITY("T-F46");
  for (const Node& node : nodes_) ASSERT_TRUE(succeeded(run_on(node, "ADD")));
  for (const Node& from : nodes_) {
    const std::string client = pod(from.pod_name()).netns;
    for (const Node& to : nodes_) {
      if (from.number == to.number) continue;
      EXPECT_EQ(seen_as(client, pod(to.pod_name()).netns, to.pod_address()), from.pod_address());
      EXPECT_EQ(seen_as(client, pod(to.pod_name()).netns, to.pod_address6()), from.pod_address6());
      EXPECT_TRUE(ping(from.netns, to.pod_address())) << "a node reaches pods of others";
    }
  }
  for (const Node& node : nodes_) {
    EXPECT_TRUE(succeeded_silently(run_on(node, "DEL")));
    EXPECT_TRUE(std::filesystem::is_empty(node.store + "/flannel"));
    EXPECT_FALSE(std::filesystem::exists(node.store + "/networks/cbr0/" + node.pod_address()));
  }
}

TEST_P(FlannelNodes, TheLargestPacketPassesWholeAndNoLargerOne) {
  PARITY("T-F46");
  for (const Node& node : nodes_) ASSERT_TRUE(succeeded(run_on(node, "ADD")));
  const std::string from = nodes_[0].pod_name();
  const auto passes = [&](const std::string& to, int size) { return probe(from, to, size).exit_code == 0; };
  // 1450 bytes, but for the headers of IP and of the echo request.
  EXPECT_TRUE(happens([&] { return passes(nodes_[1].pod_address(), 1422); }));
  EXPECT_FALSE(passes(nodes_[1].pod_address(), 1423));
  // Between nodes IPv6 takes 20 bytes more, which flanneld does not take off, but the kernel does: 1430, unless the
  // wire is larger.
  EXPECT_TRUE(happens([&] { return passes(nodes_[2].pod_address6(), 1382); }));
  for (const Node& node : nodes_) {
    must_run({"ip", "link", "set", node.name(), "mtu", "1520"});
    must_run({"ip", "link", "set", "eth0", "mtu", "1520"}, node.netns);
    must_run({"ip", "link", "set", "flannel-v6.1", "mtu", "1450"}, node.netns);
  }
  EXPECT_TRUE(happens([&] { return passes(nodes_[1].pod_address6(), 1402); }));
  EXPECT_FALSE(passes(nodes_[1].pod_address6(), 1403));
}

}  // namespace
}  // namespace cnio::test
