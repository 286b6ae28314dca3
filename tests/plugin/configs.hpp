// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "support/judge.hpp"

// Small valid configurations to start a test from; each test changes what it is about.
namespace cnio::test {

inline const std::vector<std::string> kAllVersions{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

inline Json loopback_config(const std::string& version = "1.1.0") {
  return {{"cniVersion", version}, {"name", "lo-net"}, {"type", "loopback"}};
}

/// One range per subnet, each in a set of its own.
inline Json host_local_ipam(const std::vector<std::string>& subnets = {"10.1.0.0/24"}) {
  Json ranges = Json::array();
  for (const std::string& subnet : subnets) ranges.push_back(Json::array({{{"subnet", subnet}}}));
  return {{"type", "host-local"}, {"ranges", ranges}};
}

inline Json host_local_config(const std::vector<std::string>& subnets = {"10.1.0.0/24"},
                              const std::string& version = "1.1.0") {
  return {{"cniVersion", version}, {"name", "store"}, {"type", "host-local"}, {"ipam", host_local_ipam(subnets)}};
}

/// As `ipam` of static: the addresses, the first of which has a gateway.
inline Json static_ipam(const std::vector<std::string>& addresses = {"10.1.0.5/24"},
                        const std::string& gateway = "10.1.0.1") {
  Json list = Json::array();
  for (const std::string& address : addresses) list.push_back({{"address", address}});
  if (!list.empty()) list[0]["gateway"] = gateway;
  return {{"type", "static"}, {"addresses", list}};
}

inline Json static_config(const std::vector<std::string>& addresses = {"10.1.0.5/24"},
                          const std::string& version = "1.1.0") {
  return {{"cniVersion", version}, {"name", "fixed"}, {"type", "static"}, {"ipam", static_ipam(addresses)}};
}

/// Layer 2 without IPAM.
inline Json layer2_config(const std::string& version = "1.1.0") {
  return {{"cniVersion", version}, {"name", "net"}, {"type", "bridge"}, {"bridge", "br0"}};
}

/// Bridge br0 as the default gateway of the given subnets.
inline Json bridge_config(const std::vector<std::string>& subnets = {"10.1.0.0/24"},
                          const std::string& version = "1.1.0") {
  Json config = layer2_config(version);
  config["isDefaultGateway"] = true;
  config["ipam"] = host_local_ipam(subnets);
  return config;
}

inline Json dual_stack_config(const std::string& version = "1.1.0") {
  return bridge_config({"10.1.0.0/24", "fd01::/64"}, version);
}

/// The host as the router of each pod, with a default route for each family.
inline Json ptp_config(const std::vector<std::string>& subnets = {"10.1.0.0/24"},
                       const std::string& version = "1.1.0") {
  Json config = {{"cniVersion", version}, {"name", "net"}, {"type", "ptp"}, {"ipam", host_local_ipam(subnets)}};
  for (const std::string& subnet : subnets) {
    const Json route = {{"dst", subnet.find(':') != std::string::npos ? "::/0" : "0.0.0.0/0"}};
    Json& routes = config["ipam"]["routes"];
    if (std::find(routes.begin(), routes.end(), route) == routes.end()) routes.push_back(route);
  }
  return config;
}

inline Json dual_ptp_config(const std::string& version = "1.1.0") {
  return ptp_config({"10.1.0.0/24", "fd01::/64"}, version);
}

/// Ranges of dual_stack_config() with one address each, whose last part is given.
inline Json one_address_ranges(const std::string& last) {
  Json list = Json::array();
  for (const auto& [subnet, first] : {std::pair("10.1.0.0/24", "10.1.0."), std::pair("fd01::/64", "fd01::")}) {
    list.push_back(
        {{{"subnet", subnet}, {"rangeStart", std::string(first) + last}, {"rangeEnd", std::string(first) + last}}});
  }
  return list;
}

/// For a plugin that stands behind others in a chain, with what they have made.
inline Json chained_config(const std::string& plugin, const std::string& version = "1.1.0") {
  Json result = {{"cniVersion", version}};
  if (version < "0.3.0") {
    result["ip4"] = {{"ip", "10.1.0.5/24"}};
  } else {
    result["ips"] = Json::array({{{"address", "10.1.0.5/24"}}});
    if (version < "1.0.0") result["ips"][0]["version"] = "4";
  }
  return {{"cniVersion", version}, {"name", "net"}, {"type", plugin}, {"prevResult", result}};
}

/// A valid configuration of any plugin; who needs no keys gets none.
inline Json minimal_config(const std::string& plugin, const std::string& version = "1.1.0") {
  if (plugin == "bridge") return layer2_config(version);
  if (plugin == "host-local") return host_local_config({"10.1.0.0/24"}, version);
  if (plugin == "static") return static_config({"10.1.0.5/24"}, version);
  if (plugin == "ptp") return ptp_config({"10.1.0.0/24"}, version);
  // Not a gateway, so that it can also be asked for in the host's own namespace.
  if (plugin == "flannel") {
    return {{"cniVersion", version}, {"name", "net"}, {"type", plugin}, {"delegate", {{"isGateway", false}}}};
  }
  const bool chained = plugin == "bandwidth" || plugin == "firewall" || plugin == "portmap" || plugin == "tuning";
  if (chained) return chained_config(plugin, version);
  return {{"cniVersion", version}, {"name", "net"}, {"type", plugin}};
}

/// What GC of specification 1.1.0 adds to the configuration.
inline Json with_valid_attachments(Json config, const std::vector<std::pair<std::string, std::string>>& valid) {
  Json list = Json::array();
  for (const auto& [container, ifname] : valid) list.push_back({{"containerID", container}, {"ifname", ifname}});
  config["cni.dev/valid-attachments"] = list;
  return config;
}

/// A name that GoogleTest accepts for a parameter.
inline std::string identifier(std::string text) {
  for (char& letter : text) {
    const bool plain =
        (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (!plain) letter = '_';
  }
  return text.empty() ? "none" : text;
}

}  // namespace cnio::test
