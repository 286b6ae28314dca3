// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plugin/configs.hpp"
#include "support/fake_ipam.hpp"
#include "support/host.hpp"
#include "support/peer.hpp"
#include "support/plugin.hpp"
#include "support/snapshot.hpp"

namespace cnio::test {

/// For a hook of the stand-in, which may work while the pair is made: it is made and configured, and not in use yet.
inline constexpr char kPairStands[] = "ip -d link show master br0 | grep -q 'addrgenmode none'";

/// A host whose pods are on bridge br0.
class BridgeTest : public HostTest {
 protected:
  /// An attachment of container `id`, whose namespace of the same name is made if it is not there.
  static Attachment pod(const std::string& id = "c1", const std::string& ifname = "eth0") {
    const std::string path = "/run/netns/" + id;
    return {id, std::filesystem::exists(path) ? path : add_netns(id), ifname, ""};
  }

  /// A call with the stand-in as IPAM plugin.
  static Command with_fake(const FakeIpam& fake, const std::string& verb, const Json& config,
                           const Attachment& attachment) {
    Command command = plugin_command({config.at("type").get<std::string>(), verb, attachment, config.dump()});
    command.env["CNI_PATH"] = fake.path() + ":" + plugin_dir();
    command.env.merge(fake.environment());
    return command;
  }

  /// A call of the reference's plugin with the reference's IPAM plugins, in a version that old ones know, too.
  static Outcome by_reference(const std::string& verb, Json config, const Attachment& attachment) {
    config["cniVersion"] = "1.0.0";
    const auto plugin = config.at("type").get<std::string>();
    Command command = plugin_command({plugin, verb, attachment, config.dump()});
    command.argv = {reference_dir() + "/" + plugin};
    command.env["CNI_PATH"] = reference_dir();
    return run(command);
  }

  /// Configuration of a bridge whose addresses come from the stand-in.
  static Json fake_config(const std::string& version = "1.1.0", const std::string& type = "fake-ipam") {
    Json config = layer2_config(version);
    config["ipam"] = {{"type", type}};
    return config;
  }

  /// Name of the host end in a result of 0.3.0 or later.
  static std::string host_end(const Json& result) {
    return result.at("interfaces").at(1).at("name").get<std::string>();
  }

  static bool is_up(const std::string& link, const std::string& netns = "") {
    const Json found = find_link(link, netns);
    return !found.is_null() && found.at("flags").dump().find("\"UP\"") != std::string::npos;
  }

  static std::vector<std::string> names_on_bridge(const std::string& bridge = "br0") {
    std::vector<std::string> names;
    if (find_link(bridge).is_null()) return names;
    for (const Json& link : ip_json({"link", "show", "master", bridge}))
      names.push_back(link.at("ifname").get<std::string>());
    return names;
  }

  static bool store_holds(const std::string& address, const std::string& network = "net") {
    return std::filesystem::exists("/var/lib/cni/networks/" + network + "/" + address);
  }
};

/// A machine next to the host, on another network than the pods. It knows no way to them.
class OutsideHost {
 public:
  OutsideHost() {
    must_run({"ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", "outside"});
    // A router asks for neighbours from its link-local address: no waiting for duplicate detection of that.
    set_sysctl("net/ipv6/conf/uplink/accept_dad", "0");
    must_run({"ip", "addr", "add", "192.0.2.1/24", "dev", "uplink"});
    must_run({"ip", "addr", "add", "2001:db8::1/64", "dev", "uplink", "nodad"});
    must_run({"ip", "addr", "add", "192.0.2.2/24", "dev", "eth0"}, netns);
    must_run({"ip", "addr", "add", "2001:db8::2/64", "dev", "eth0", "nodad"}, netns);
    must_run({"ip", "link", "set", "uplink", "up"});
    must_run({"ip", "link", "set", "eth0", "up"}, netns);
  }

  /// Makes the outside host answer pods directly through the host.
  void learn_route(const std::string& subnet) const {
    const bool v6 = subnet.find(':') != std::string::npos;
    must_run({"ip", "route", "add", subnet, "via", v6 ? "2001:db8::1" : "192.0.2.1"}, netns);
  }

  const std::string netns = add_netns("outside");
};

}  // namespace cnio::test
