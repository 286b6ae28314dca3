// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/protocol/result.hpp"

namespace cnio::attachment {

// What the story of an attachment asks of its network, whatever kind of link that makes.
struct Network {
  std::string_view plugin;           // "bridge": named in notes
  std::string ipam_type;             // empty: none, or it cannot be read
  bool ipam_readable = true;         // false: nobody knows who gave the addresses
  std::string host_prefix = "veth";  // how the names of host ends begin
  bool ports = false;                // the host ends are ports of `bridge`
  std::string bridge;                // empty: it cannot be read, or there is none
  std::string mtu_advice;            // how to raise it, for IPv6
  std::optional<MacAddr> mac;        // of the sandbox end; nothing: one that is drawn
  bool sandbox_end_down = false;     // layer 2: as it is made
  bool detect_duplicates = false;    // IPv6 duplicate address detection in the sandbox

  bool masquerade = false;                           // what leaves a pod's subnet
  std::optional<std::string> masquerade_backend;     // absent: nf_tables; its value is looked at where it is used
  std::vector<Cidr> masquerade_exclude;              // destinations that see the pod's own address
  std::optional<std::vector<Cidr>> masquerade_only;  // the only destinations that do not; absent: no such limit

  std::optional<protocol::Dns> dns;  // replaces the IPAM plugin's if set

  // Without IPAM plugin, and certainly so.
  [[nodiscard]] bool layer2() const { return ipam_type.empty() && ipam_readable; }
};

}  // namespace cnio::attachment
