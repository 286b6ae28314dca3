// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// A cluster of three nodes as conf-examples/10-mynet.conf makes it: each with a pod subnet and a store of its own, on
// one wire, with routes between them.
#include <deque>
#include <functional>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {
namespace {

struct Node {
  int number;
  std::string netns;
  std::string store;

  std::string address() const { return "172.16.0." + std::to_string(number); }
  std::string subnet() const { return "10.240." + std::to_string(number) + ".0/24"; }
  std::string first_pod() const { return "10.240." + std::to_string(number) + ".2"; }
  std::string pod_name() const { return "pod" + std::to_string(number); }
};

class MultiNode : public BridgeTest {
 protected:
  MultiNode() {
    must_run({"ip", "link", "add", "wire", "type", "bridge"});
    must_run({"ip", "addr", "add", "172.16.0.254/24", "dev", "wire"});
    must_run({"ip", "link", "set", "wire", "up"});
    for (int number = 1; number <= 3; ++number) add_node(number);
    for (const Node& here : nodes_) {
      for (const Node& there : nodes_) {
        if (here.number == there.number) continue;
        must_run({"ip", "route", "add", there.subnet(), "via", there.address()}, here.netns);
      }
    }
    std::filesystem::create_directories("/var/lib/cni");
  }

  void add_node(int number) {
    const std::string name = "node" + std::to_string(number);
    nodes_.push_back({number, add_netns(name), make_folder(name)});
    const Node& node = nodes_.back();
    must_run({"ip", "link", "add", name, "master", "wire", "type", "veth", "peer", "name", "eth0", "netns", name});
    must_run({"ip", "link", "set", name, "up"});
    must_run({"ip", "addr", "add", node.address() + "/24", "dev", "eth0"}, node.netns);
    must_run({"ip", "link", "set", "eth0", "up"}, node.netns);
    must_run({"ip", "link", "set", "lo", "up"}, node.netns);
  }

  /// The example for a node, as scripts would fill it in.
  static Json config_of(const Node& node) {
    std::string text = read_file(examples_dir() + "/10-mynet.conf");
    const std::string placeholder = "${NODE_SUBNET}";
    text.replace(text.find(placeholder), placeholder.size(), node.subnet());
    return Json::parse(text);
  }

  Outcome run_on(const Node& node, const std::string& verb, const Json& config) {
    Command command = plugin_command({"bridge", verb, pod(node.pod_name()), config.dump()});
    command.netns = node.netns;
    command.binds = {{node.store, "/var/lib/cni"}};
    return run(command);
  }

  void add_pods(const std::function<void(Json&)>& change = [](Json&) {}) {
    for (const Node& node : nodes_) {
      Json config = config_of(node);
      change(config);
      ASSERT_TRUE(succeeded(run_on(node, "ADD", config)));
    }
  }

  std::string seen_between(const Node& from, const Node& to) {
    return seen_as(pod(from.pod_name()).netns, pod(to.pod_name()).netns, to.first_pod());
  }

  std::deque<Node> nodes_;
};

TEST_F(MultiNode, PodsSeeEachOtherUnderTheirOwnAddresses) {
  add_pods();
  for (const Node& from : nodes_) {
    for (const Node& to : nodes_) {
      if (from.number == to.number) continue;
      EXPECT_TRUE(ping(pod(from.pod_name()).netns, to.first_pod()));
      EXPECT_EQ(seen_between(from, to), from.first_pod());
    }
  }
}

TEST_F(MultiNode, WithoutExclusionThePodHidesBehindItsNode) {
  add_pods([](Json& config) { config.erase("ipMasqExclude"); });
  EXPECT_EQ(seen_between(nodes_[0], nodes_[1]), nodes_[0].address());
}

TEST_F(MultiNode, OutsideOfTheClusterSeesTheNode) {
  add_pods();
  for (const Node& node : nodes_) EXPECT_EQ(seen_as(pod(node.pod_name()).netns, "", "172.16.0.254"), node.address());
}

TEST_F(MultiNode, NodesReachThePodsOfOthers) {
  add_pods();
  EXPECT_TRUE(ping(nodes_[2].netns, nodes_[0].first_pod()));
  EXPECT_TRUE(ping(nodes_[0].netns, nodes_[0].first_pod()));
}

TEST_F(MultiNode, DeleteLeavesNothingOnAnyNode) {
  add_pods();
  for (const Node& node : nodes_) {
    EXPECT_TRUE(succeeded_silently(run_on(node, "DEL", config_of(node))));
    EXPECT_TRUE(nft_objects_with("\"" + node.first_pod() + "\"", node.netns).empty());
    EXPECT_FALSE(std::filesystem::exists(node.store + "/networks/mynet/" + node.first_pod()));
    EXPECT_EQ(link_names(node.netns), (std::vector<std::string>{"eth0", "cni0"}));
  }
}

}  // namespace
}  // namespace cnio::test
