// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "plugin/bridge_fixture.hpp"

namespace cnio::test {

/// A host whose kernel filters VLANs, with pods on bridge br0.
class VlanTest : public BridgeTest {
 protected:
  /// Layer 2 in a VLAN.
  static Json vlan_config(int vlan) {
    Json config = layer2_config();
    config["vlan"] = vlan;
    return config;
  }

  /// A network of its own in a VLAN, whose gateway is the host.
  static Json routed_config(int vlan, const std::vector<std::string>& subnets = {"10.1.0.0/24", "fd01::/64"}) {
    Json config = bridge_config(subnets);
    config["name"] = "net" + std::to_string(vlan);
    config["vlan"] = vlan;
    return config;
  }

  static Json trunk(const std::string& entries) { return Json::parse(entries); }

  /// What `bridge vlan` says of a port, ascending: "100 PVID Egress Untagged", "200".
  static std::vector<std::string> vlans_of(const std::string& port) {
    std::vector<std::string> vlans;
    for (const Json& link : Json::parse(must_run({"bridge", "-j", "vlan", "show", "dev", port}))) {
      for (const Json& vlan : link.at("vlans")) vlans.push_back(text_of(vlan));
    }
    return vlans;
  }

  static bool filters_vlans(const std::string& bridge = "br0") {
    return find_link(bridge).at("linkinfo").at("info_data").at("vlan_filtering") == 1;
  }

  /// A VLAN of a pod's interface, as a pod on a trunk makes it.
  static void add_pod_vlan(const Attachment& attachment, int vlan, const std::string& address) {
    const std::string name = attachment.ifname + "." + std::to_string(vlan);
    must_run({"ip", "link", "add", "link", attachment.ifname, "name", name, "type", "vlan", "id", std::to_string(vlan)},
             attachment.netns);
    give_address(attachment, name, address);
  }

  static void give_address(const Attachment& attachment, const std::string& interface, const std::string& address) {
    must_run({"ip", "addr", "add", address, "dev", interface}, attachment.netns);
    must_run({"ip", "link", "set", interface, "up"}, attachment.netns);
  }

 private:
  static std::string text_of(const Json& vlan) {
    std::string text = std::to_string(vlan.at("vlan").get<int>());
    if (vlan.contains("vlanEnd")) text += "-" + std::to_string(vlan.at("vlanEnd").get<int>());
    for (const Json& flag : vlan.value("flags", Json::array())) text += " " + flag.get<std::string>();
    return text;
  }
};

using Texts = std::vector<std::string>;

}  // namespace cnio::test
