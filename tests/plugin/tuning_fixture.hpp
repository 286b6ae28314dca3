// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "plugin/configs.hpp"
#include "support/host.hpp"
#include "support/judge.hpp"
#include "support/peer.hpp"
#include "support/plugin.hpp"

namespace cnio::test {

/// A pod whose interface somebody else has made: 10.1.0.5, and the host 10.1.0.1 at its end v1.
class TuningTest : public HostTest {
 protected:
  TuningTest() { make_interface("eth0"); }

  static constexpr char kBackups[] = "/run/cni/tuning";
  static constexpr char kMac[] = "02:00:00:00:00:77";

  void make_interface(const std::string& name, const std::string& mtu = "1500") const {
    must_run({"ip", "link", "add", "v1", "type", "veth", "peer", "name", name, "mtu", mtu, "netns", "c1"});
    must_run({"ip", "addr", "add", "10.1.0.1/24", "dev", "v1"});
    must_run({"ip", "link", "set", "v1", "up"});
    must_run({"ip", "addr", "add", "10.1.0.5/24", "dev", name}, pod_.netns);
    must_run({"ip", "link", "set", name, "up"}, pod_.netns);
  }
  void remove_interface() const { must_run({"ip", "link", "del", "v1"}); }

  /// What the plugins before it in the chain have made.
  static Json made(const std::string& version = "1.1.0") {
    if (version < "0.3.0") return {{"cniVersion", version}, {"ip4", {{"ip", "10.1.0.5/24"}}}};
    Json result = {{"cniVersion", version}};
    result["interfaces"] =
        Json::array({{{"name", "eth0"}, {"mac", "02:00:00:00:00:01"}},
                     {{"name", "eth0"}, {"mac", "02:00:00:00:00:02"}, {"sandbox", "/run/netns/c1"}}});
    result["ips"] = Json::array({{{"address", "10.1.0.5/24"}, {"interface", 1}}});
    if (version < "1.0.0") result["ips"][0]["version"] = "4";
    return result;
  }
  static Json with_ipv6(Json config) {
    config["prevResult"]["ips"].push_back({{"address", "fd01::5/64"}, {"interface", 1}});
    return config;
  }

  static Json config(const Json& keys, const std::string& version = "1.1.0") {
    Json config = {{"cniVersion", version}, {"name", "net"}, {"type", "tuning"}, {"prevResult", made(version)}};
    config.update(keys);
    return config;
  }
  /// nlohmann/json sorts keys: this keeps the order, and what is there twice.
  Outcome add_text(const std::string& keys) const {
    std::string text = config(Json::object()).dump();
    text.pop_back();
    return run(plugin_command({"tuning", "ADD", pod_, text + "," + keys + "}"}));
  }
  static Json sysctls(const Json& values) { return config({{"sysctl", values}}); }
  static Json all_keys() {
    return config({{"mac", kMac}, {"promisc", true}, {"mtu", 1400}, {"allmulti", true}, {"txQLen", 77}});
  }

  Attachment with_args(const std::string& args) const {
    Attachment attachment = pod_;
    attachment.args = args;
    return attachment;
  }

  Json link(const std::string& name = "eth0") const { return find_link(name, pod_.netns); }
  std::string mac() const { return link().at("address").get<std::string>(); }
  /// MAC address, MTU, flags and queue.
  std::string looks(const std::string& name = "eth0") const {
    const Json found = link(name);
    const std::string flags = found.at("flags").dump();
    std::string text = found.at("address").get<std::string>() + " " + found.at("mtu").dump() + " " +
                       std::to_string(found.value("txqlen", 0));
    for (const char* flag : {"PROMISC", "ALLMULTI"}) text += flags.find(flag) != std::string::npos ? "+" : "-";
    return text;
  }
  std::string value(const std::string& name) const { return sysctl("net/" + name, pod_.netns); }
  void set(const std::string& name, const std::string& value) const { set_sysctl("net/" + name, value, pod_.netns); }

  static std::string backup_path(const std::string& container = "c1", const std::string& ifname = "eth0") {
    return std::string(kBackups) + "/" + container + "_" + ifname + ".json";
  }
  static std::vector<std::string> backups(const std::string& folder = kBackups) {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none))
      names.push_back(entry.path().filename());
    return names;
  }
  static Json backup() { return Json::parse(read_file(backup_path())); }

  /// The reference's plugin, in a version that it knows.
  static Outcome by_reference(const std::string& verb, Json config, const Attachment& attachment) {
    config["cniVersion"] = "1.0.0";
    if (config.contains("prevResult")) config["prevResult"]["cniVersion"] = "1.0.0";
    Command command = plugin_command({"tuning", verb, attachment, config.dump()});
    command.argv = {reference_dir() + "/tuning"};
    return run(command);
  }

  const Attachment pod_{"c1", add_netns("c1"), "eth0", ""};
};

}  // namespace cnio::test
