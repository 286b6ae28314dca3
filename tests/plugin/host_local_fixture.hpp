// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plugin/configs.hpp"
#include "support/host.hpp"
#include "support/plugin.hpp"
#include "support/snapshot.hpp"

// host-local called by itself, without a namespace: it needs none.
namespace cnio::test {

/// Where host_local_config() keeps its reservations.
inline const std::string kStore = "/var/lib/cni/networks/store";

inline Attachment pod(const std::string& id, const std::string& ifname = "eth0", const std::string& args = "") {
  return {id, "/run/netns/none", ifname, args};
}

inline std::vector<std::string> addresses_of(const Json& result) {
  std::vector<std::string> texts;
  for (const Json& ip : result.at("ips")) texts.push_back(ip.at("address").get<std::string>());
  return texts;
}

/// The first address that an ADD gives, which must succeed.
inline std::string first_address(const Json& config, const Attachment& attachment) {
  return addresses_of(must_add(config, attachment)).at(0);
}

inline bool reserved(const std::string& address) { return std::filesystem::exists(kStore + "/" + address); }

inline Json with_ranges(const Json& ranges) {
  Json config = host_local_config();
  config["ipam"]["ranges"] = ranges;
  return config;
}

}  // namespace cnio::test
