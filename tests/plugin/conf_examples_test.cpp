// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Each file of conf-examples, as a runtime would use it: ADD of two pods, traffic, CHECK, DEL, nothing left.
#include <algorithm>
#include <set>

#include "plugin/flannel_fixture.hpp"

namespace cnio::test {
namespace {

/// The plugins of a .conf or .conflist, each with name and version, as a runtime passes them; one that knows
/// specification 1.1.0 takes the highest of `cniVersions`.
std::vector<Json> load_chain(const std::string& file, bool new_runtime = false) {
  std::string text = read_file(examples_dir() + "/" + file);
  const std::string placeholder = "${NODE_SUBNET}";
  if (const auto at = text.find(placeholder); at != std::string::npos) {
    text.replace(at, placeholder.size(), "10.240.7.0/24");
  }
  const Json document = Json::parse(text);
  if (!document.contains("plugins")) return {document};
  std::string version = document.at("cniVersion").get<std::string>();
  if (new_runtime) {
    for (const Json& other : document.value("cniVersions", Json::array())) {
      version = std::max(version, other.get<std::string>());
    }
  }
  std::vector<Json> chain;
  for (Json plugin : document.at("plugins")) {
    plugin["name"] = document.at("name");
    plugin["cniVersion"] = version;
    chain.push_back(plugin);
  }
  return chain;
}

struct Example {
  std::string file;
  std::vector<std::string> gateways;  ///< addresses that a pod reaches
  std::vector<std::string> ips{};     ///< what a second pod asks for, where addresses are not drawn
};

void PrintTo(const Example& example, std::ostream* out) { *out << example.file; }

const Example kExamples[] = {
    {"00_bridge.conflist", {"10.22.0.1"}},
    {"1-k8s.conflist", {"10.244.0.1"}},
    {"10-bridge.conf", {"10.240.1.1"}},
    {"10-buildkit.conflist", {"127.0.0.1", "10.10.0.1"}},
    {"10-calico.conflist", {"192.168.77.1"}},
    {"10-containerd-net.conflist", {"10.88.0.1", "2001:4860:4860::1"}},
    {"10-crio-bridge.conflist", {"10.85.0.1", "1100:200::1"}},
    {"10-dualstack.conflist", {"10.241.1.1", "fd00:10:241:1::1"}},
    {"10-fcnet.conflist", {"192.168.127.1"}},
    {"10-firewall.conflist", {"10.245.1.1", "fd00:10:245:1::1"}},
    {"10-flannel-k3s.conflist", {"10.244.1.1", "fd01:0:0:1::1"}},
    {"10-flannel.conflist", {"10.244.1.1", "fd01:0:0:1::1"}},
    {"10-hairpin.conf", {"10.242.1.1"}},
    {"10-k3s.conflist", {"10.42.0.1"}},
    {"10-kind-ptp.conflist", {"10.244.0.1", "fd00:10:244::1"}},
    {"10-layer2.conf", {}},
    {"10-mynet.conf", {"10.240.7.1"}},
    {"10-portmap.conflist", {"10.245.1.1", "fd00:10:245:1::1"}},
    {"10-resolv-routes.conf", {"10.243.1.1"}},
    {"10-static.conflist", {"10.244.1.1", "fd00:10:244:1::1"}, {"10.244.1.6/24", "fd00:10:244:1::6/64"}},
    {"10-tuning.conflist", {"10.240.7.1"}},
    {"87-podman-bridge.conflist", {"10.88.0.1"}},
    {"99-loopback.conf", {"127.0.0.1"}},
    {"nerdctl-bridge.conflist", {"10.4.0.1"}},
    {"nomad.conflist", {"127.0.0.1", "172.26.64.1"}},
};

class ConfExamples : public BridgeTest, public ::testing::WithParamInterface<Example> {
 protected:
  ConfExamples() {
    // An example reads the machine's resolver file: give it one of known content.
    write_file("/run/test/resolv.conf", "nameserver 192.0.2.53\nsearch example.org\n");
    must_run({"mount", "--bind", "/run/test/resolv.conf", "/etc/resolv.conf"});
    write_subnet_env();
    std::filesystem::create_directories("/var/lib/cni/flannel");  // outlives the pods, as with the reference
    std::filesystem::permissions("/var/lib/cni/flannel", std::filesystem::perms::owner_all);
  }
  ~ConfExamples() override { must_run({"umount", "/etc/resolv.conf"}); }

  static Json add_chain(const std::vector<Json>& chain, const Attachment& attachment) {
    Json result;
    for (const Json& plugin : chain) {
      result = must_add(result.is_null() ? plugin : with_prev_result(plugin, result), attachment);
    }
    return result;
  }

  /// As a runtime passes them to whoever has the capability. With a port each pod gets one of its own.
  static std::vector<Json> asking_for(std::vector<Json> chain, const std::vector<std::string>& ips, int port) {
    for (Json& plugin : chain) {
      const Json capabilities = plugin.value("capabilities", Json::object());
      if (!ips.empty() && capabilities.value("ips", false)) plugin["runtimeConfig"]["ips"] = ips;
      if (capabilities.value("bandwidth", false)) {  // as containerd does for kubernetes.io/ingress-bandwidth: 10M
        for (const std::string way : {"ingress", "egress"}) {
          plugin["runtimeConfig"]["bandwidth"][way + "Rate"] = 10'000'000;
          plugin["runtimeConfig"]["bandwidth"][way + "Burst"] = 4'294'967'295;
        }
      }
      if (!capabilities.value("portMappings", false)) continue;
      plugin["runtimeConfig"]["portMappings"] = {{{"hostPort", port}, {"containerPort", 80}, {"protocol", "tcp"}}};
    }
    return chain;
  }

  static std::string bridge_of(const std::vector<Json>& chain) {
    for (const Json& plugin : chain) {
      if (plugin.contains("bridge")) return plugin.at("bridge").get<std::string>();
      if (plugin.contains("delegate")) return "cni0";
    }
    return "none";
  }
};

INSTANTIATE_TEST_SUITE_P(Each, ConfExamples, ::testing::ValuesIn(kExamples),
                         [](const auto& test) { return identifier(test.param.file); });

TEST_P(ConfExamples, AddTalkCheckDelete) {
  const std::vector<Json> chain = load_chain(GetParam().file);
  const auto state = [&] {
    return Snapshot::of_host()
        .without_device(bridge_of(chain))
        .without_cursors()
        .without_forwarding()
        .without_firewall_frame()
        .without_masquerade_frame()
        .without_port_map_frame();
  };
  const Snapshot before = state();
  const std::vector<Json> chain_of_first = asking_for(chain, {}, 8081);
  const Json first = add_chain(chain_of_first, pod("c1"));
  const Json second = add_chain(asking_for(chain, GetParam().ips, 8082), pod("c2"));
  for (const std::string& gateway : GetParam().gateways) EXPECT_TRUE(ping(pod("c1").netns, gateway));
  for (const Json& ip : second.value("ips", Json::array())) {
    const std::string address = ip.at("address").get<std::string>();
    EXPECT_TRUE(ping(pod("c1").netns, address.substr(0, address.find('/'))));
  }
  for (const Json& plugin : chain_of_first) {
    if (plugin.at("cniVersion") < "0.4.0") continue;
    EXPECT_TRUE(succeeded_silently(check(with_prev_result(plugin, first), pod("c1"))));
  }
  for (const char* id : {"c1", "c2"}) {
    for (auto plugin = chain.rbegin(); plugin != chain.rend(); ++plugin) {
      EXPECT_TRUE(succeeded_silently(del(*plugin, pod(id))));
    }
    EXPECT_TRUE(link_names(pod(id).netns).empty());
  }
  EXPECT_TRUE(same(before, state()));
}

TEST(ConfExampleFiles, AreAllTested) {
  std::set<std::string> tested;
  for (const Example& example : kExamples) tested.insert(example.file);
  std::set<std::string> present;
  for (const auto& entry : std::filesystem::directory_iterator(examples_dir())) present.insert(entry.path().filename());
  EXPECT_EQ(tested, present);
}

TEST_F(BridgeTest, AnExampleLetsNewRuntimesCallStatusAndGc) {
  FAULT("E21 versions");
  const Json config = load_chain("10-dualstack.conflist", true).at(0);
  ASSERT_EQ(load_chain("10-dualstack.conflist").at(0).at("cniVersion"), "1.0.0") << "what older ones read";
  ASSERT_EQ(config.at("cniVersion"), "1.1.0");
  EXPECT_TRUE(succeeded_silently(status(config)));
  const Json result = must_add(config, pod("c1"));
  must_add(config, pod("c2"));
  EXPECT_TRUE(succeeded_silently(check(with_prev_result(config, result), pod("c1"))));
  EXPECT_TRUE(succeeded_silently(gc(with_valid_attachments(config, {{"c2", "eth0"}}))));
  EXPECT_FALSE(store_holds("10.241.1.2", "dualstack"));
  EXPECT_TRUE(store_holds("10.241.1.3", "dualstack"));
  EXPECT_EQ(names_on_bridge("cnids0").size(), 1U);
}

TEST_F(BridgeTest, Layer2ExampleConnectsPods) {
  const Json config = load_chain("10-layer2.conf").at(0);
  must_add(config, pod("c1"));
  must_add(config, pod("c2"));
  must_run({"ip", "addr", "add", "10.7.0.1/24", "dev", "eth0"}, pod("c1").netns);
  must_run({"ip", "addr", "add", "10.7.0.2/24", "dev", "eth0"}, pod("c2").netns);
  EXPECT_TRUE(ping(pod("c1").netns, "10.7.0.2"));
}

TEST_F(BridgeTest, ExamplesForSingleNodeAreExactlyAsDocumented) {
  EXPECT_EQ(load_chain("10-bridge.conf").at(0), Json::parse(R"({"cniVersion": "0.4.0", "name": "bridge",
    "type": "bridge", "bridge": "cnio0", "isGateway": true, "ipMasq": true, "ipam": {"type": "host-local",
    "ranges": [[{"subnet": "10.240.1.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}})"));
  EXPECT_EQ(load_chain("99-loopback.conf").at(0),
            Json::parse(R"({"cniVersion": "0.4.0", "name": "lo", "type": "loopback"})"));
}

}  // namespace
}  // namespace cnio::test
