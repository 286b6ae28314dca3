// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plugin/bridge_fixture.hpp"
#include "support/talk.hpp"

namespace cnio::test {

/// A host with pods on a bridge, which get ports: 192.0.2.1 and 2001:db8::1 are the host's addresses to the outside.
class PortmapTest : public BridgeTest {
 protected:
  PortmapTest() {
    must_run({"ip", "route", "add", "default", "via", "192.0.2.1"}, outside_.netns);
    must_run({"ip", "route", "add", "default", "via", "2001:db8::1"}, outside_.netns);
    // Rules of one bridge's ports are not asked, as on a host without the module br_netfilter.
    for (const char* name : {"iptables", "ip6tables"}) {
      const std::string setting = std::string("net/bridge/bridge-nf-call-") + name;
      if (std::filesystem::exists("/proc/sys/" + setting)) set_sysctl(setting, "0");
    }
  }

  static Json mapping(int host_port, int pod_port, const std::string& protocol = "tcp", const std::string& ip = "") {
    Json entry = {{"hostPort", host_port}, {"containerPort", pod_port}, {"protocol", protocol}};
    if (!ip.empty()) entry["hostIP"] = ip;
    return entry;
  }

  /// A pod with addresses of both families, without ports so far.
  Attachment make_pod(const std::string& id = "c1", const std::string& ifname = "eth0") {
    const Attachment attachment = pod(id, ifname);
    results_[id + "/" + ifname] = must_add(dual_stack_config(), attachment);
    return attachment;
  }
  const Json& result_of(const Attachment& attachment) const {
    return results_.at(attachment.container + "/" + attachment.ifname);
  }

  /// What a runtime passes to portmap for the pod.
  Json config(const Attachment& attachment, const std::vector<Json>& mappings) const {
    Json config = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "portmap"}};
    if (!backend_.empty()) config["backend"] = backend_;
    config["runtimeConfig"]["portMappings"] = mappings;
    return with_prev_result(config, result_of(attachment));
  }

  std::string outside() const { return outside_.netns; }

  /// How the pod's server sees a client.
  static std::string tcp(const std::string& netns, const std::string& address, int port = 8080) {
    return talk(netns, Talk::kTcp, address, port);
  }
  static std::string udp(const std::string& netns, const std::string& address, int port = 8080) {
    return talk(netns, Talk::kUdp, address, port);
  }
  /// Likewise, where no answer is expected.
  static std::string tcp_briefly(const std::string& netns, const std::string& address, int port = 8080) {
    return talk(netns, Talk::kTcp, address, port, kShortPatienceMs);
  }

  /// Does nft or iptables show anything of a port map that has this text?
  static bool has_rules(const std::string& text) {
    const auto saved = [&](const char* program) { return must_run({program, "-t", "nat", "-S"}); };
    return !nft_objects_with(text).empty() || saved("iptables").find(text) != std::string::npos ||
           saved("ip6tables").find(text) != std::string::npos;
  }

  /// Pods p0, p1, ... like this one, each with an address and a port (8000, 8001, ...) of its own.
  void add_at_once(const Attachment& like, int pods) const {
    std::vector<Child> calls;
    for (int number = 0; number < pods; ++number) {
      Json ports = config(like, {mapping(8000 + number, 80)});
      ports["prevResult"]["ips"][0]["address"] = "10.1.0." + std::to_string(100 + number) + "/24";
      ports["prevResult"]["ips"][1]["address"] = "fd01::" + std::to_string(100 + number) + "/64";
      calls.emplace_back(
          plugin_command({"portmap", "ADD", {"p" + std::to_string(number), like.netns, "eth0", ""}, ports.dump()}));
    }
    for (Child& call : calls) EXPECT_TRUE(succeeded(call.wait()));
  }
  void delete_at_once(const Attachment& like, int pods) const {
    std::vector<Child> calls;
    for (int number = 0; number < pods; ++number) {
      calls.emplace_back(
          plugin_command({"portmap", "DEL", {"p" + std::to_string(number), "", "eth0", ""}, config(like, {}).dump()}));
    }
    for (Child& call : calls) EXPECT_TRUE(succeeded(call.wait()));
  }

  std::string backend_ = "nftables";  // empty: the configuration does not name one

 private:
  OutsideHost outside_;
  std::map<std::string, Json> results_;
};

/// The same with each back end.
class PortmapOfAnyBackend : public PortmapTest, public ::testing::WithParamInterface<std::string> {
 protected:
  PortmapOfAnyBackend() { backend_ = GetParam(); }
};
inline const auto kPortmapBackends = ::testing::Values("", "nftables", "iptables");
inline std::string name_of_backend(const ::testing::TestParamInfo<std::string>& tested) {
  return tested.param.empty() ? "unnamed" : tested.param;
}

}  // namespace cnio::test
