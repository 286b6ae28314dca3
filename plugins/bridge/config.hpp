// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cnio/attachment/config.hpp"
#include "cnio/attachment/network.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::bridge {

// The configuration of one bridge network; keys.hpp has the table for users.
struct Config : attachment::MainConfig {
  std::string bridge = "cni0";                      // its name on the host; empty: cannot be read, only with kTypes
  bool is_gateway = false;                          // the bridge gets the gateway address, and the node forwards
  bool is_default_gateway = false;                  // implies is_gateway; a default route per family through it
  bool force_address = false;                       // replace conflicting addresses of the bridge instead of failing
  bool allow_overlap = false;                       // another link of the host may have the gateway's address or subnet
  bool hairpin = false;                             // the port sends frames back where they came from
  bool isolated = false;                            // `portIsolation`: no frames between this and other isolated ports
  bool promiscuous = false;                         // of the bridge
  uint16_t vlan = 0;                                // the port's native VLAN; 0: none is asked for
  std::optional<std::vector<uint16_t>> vlan_trunk;  // tagged VLANs, ascending; empty: only filtering is asked for
  bool preserve_default_vlan = false;               // keep the VLANs that a fresh port gets
  bool spoof_check = false;                         // `macspoofchk`: drop frames with another source MAC address
  bool sandbox_end_down = false;                    // `disableContainerInterface`
  bool detect_duplicates = false;                   // `enabledad`: IPv6 duplicate address detection in the sandbox
  bool delete_when_empty = false;                   // remove the bridge with its last port

  bool operator==(const Config&) const = default;
  [[nodiscard]] bool filters_vlans() const { return vlan != 0 || vlan_trunk.has_value(); }
  // The interface on the host that bears the gateway addresses: the bridge, or its end of the VLAN.
  [[nodiscard]] std::string gateway_interface() const {
    return vlan == 0 || bridge.empty() ? bridge : bridge + "." + std::to_string(vlan);
  }
};

using attachment::Validation;

// Errors, of kFull only: code 7 naming the key, 4 for CNI_ARGS.
Result<Config> parse_config(const protocol::Request& request, Validation validation = Validation::kFull);

// What the story of an attachment has to know.
attachment::Network network_of(const Config& config);

}  // namespace cnio::bridge
