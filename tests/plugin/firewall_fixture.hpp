// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {

/// Pods of bridge br0 (10.1.0.0/24, the first has .2) with the firewall plugin behind bridge.
class FirewallTest : public BridgeTest {
 protected:
  static Json firewall_config(const Json& more = Json::object()) {
    Json config = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "firewall"}};
    config.update(more);
    return config;
  }

  /// Another bridge, with a subnet of its own.
  static Json other_bridge() {
    Json config = bridge_config({"10.2.0.0/24"});
    config["name"] = "net2";
    config["bridge"] = "br1";
    return config;
  }

  static Json of_network(Json config, const Json& network) {
    config["name"] = network.at("name");
    config["cniVersion"] = network.at("cniVersion");
    return config;
  }

  /// What the chain gives: the configuration of the firewall plugin with the result of bridge.
  static Json after_bridge(const std::string& id, const Json& config, const Json& network = bridge_config()) {
    return with_prev_result(of_network(config, network), must_add(network, pod(id)));
  }

  /// Both plugins' ADD. Returns what DEL and CHECK of the second get.
  static Json add_pod(const std::string& id, const Json& config, const Json& network = bridge_config()) {
    Json whole = after_bridge(id, config, network);
    must_add(whole, pod(id));
    return whole;
  }

  static Outcome reference(const std::string& verb, Json config, const Attachment& attachment) {
    if (config.contains("prevResult")) config["prevResult"]["cniVersion"] = "1.0.0";
    return by_reference(verb, config, attachment);
  }

  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  /// `iptables -S`, of one chain if it is named.
  static std::vector<std::string> rules(const std::string& chain = "", const std::string& program = "iptables") {
    std::vector<std::string> command = {program, "-S"};
    if (!chain.empty()) command.push_back(chain);
    std::vector<std::string> lines = lines_of(must_run(command));
    std::erase_if(lines, [](const std::string& line) { return !line.starts_with("-A"); });
    return lines;
  }

  static std::vector<std::string> rules_with(const std::string& text, const std::string& program = "iptables") {
    std::vector<std::string> lines = rules("", program);
    std::erase_if(lines, [&](const std::string& line) { return line.find(text) == std::string::npos; });
    return lines;
  }

  static std::vector<std::string> pod_rules(const std::string& address) {
    return {"-A CNI-FORWARD -d " + address + " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-A CNI-FORWARD -s " + address + " -j ACCEPT",
            "-A CNI-FORWARD -d " + address + " -m conntrack --ctstate DNAT -j ACCEPT"};
  }

  static void bridge_netfilter(bool on) {
    set_sysctl("net/bridge/bridge-nf-call-iptables", on ? "1" : "0");
    set_sysctl("net/bridge/bridge-nf-call-ip6tables", on ? "1" : "0");
  }

  /// As portmap does: port 8080 of the host is port 80 of the pod, also for the pod itself.
  static void map_port(const std::string& address) {
    must_run({"iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "-m", "addrtype", "--dst-type", "LOCAL",
              "--dport", "8080", "-j", "DNAT", "--to-destination", address + ":80"});
    must_run({"iptables", "-t", "nat", "-A", "POSTROUTING", "-s", address, "-d", address, "-j", "MASQUERADE"});
  }

  static void drop_forwarded() {
    must_run({"iptables", "-P", "FORWARD", "DROP"});
    must_run({"ip6tables", "-P", "FORWARD", "DROP"});
  }
};

}  // namespace cnio::test
