// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cnio/attachment/network.hpp"
#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

namespace cnio::bridge {

// The configuration of one bridge network; the README has the table for users.
struct Config {
  std::string bridge = "cni0";                      // its name on the host; empty: cannot be read, only with kTypes
  bool is_gateway = false;                          // the bridge gets the gateway address, and the node forwards
  bool is_default_gateway = false;                  // implies is_gateway; a default route per family through it
  bool force_address = false;                       // replace conflicting addresses of the bridge instead of failing
  bool allow_overlap = false;                       // another link of the host may have the gateway's address or subnet
  bool ip_masq = false;                             // masquerade traffic that leaves the pod's subnet
  std::optional<std::string> ip_masq_backend;       // absent: nf_tables; its value is looked at where it is used
  std::vector<Cidr> ip_masq_exclude;                // destinations that see the pod's own address
  std::optional<std::vector<Cidr>> ip_masq_only;    // the only destinations that do not; absent: no such limit
  uint32_t mtu = 0;                                 // of a new bridge and both veth ends; 0: the kernel's choice
  bool mtu_auto = false;                            // take that of the default route's interface
  bool hairpin = false;                             // the port sends frames back where they came from
  bool isolated = false;                            // `portIsolation`: no frames between this and other isolated ports
  bool promiscuous = false;                         // of the bridge
  uint16_t vlan = 0;                                // the port's native VLAN; 0: none is asked for
  std::optional<std::vector<uint16_t>> vlan_trunk;  // tagged VLANs, ascending; empty: only filtering is asked for
  bool preserve_default_vlan = false;               // keep the VLANs that a fresh port gets
  bool spoof_check = false;                         // `macspoofchk`: drop frames with another source MAC address
  bool sandbox_end_down = false;                    // `disableContainerInterface`
  bool detect_duplicates = false;                   // `enabledad`: IPv6 duplicate address detection in the sandbox
  std::string host_prefix = "veth";                 // `hostIfPrefix`: how the names of host ends begin
  bool delete_when_empty = false;                   // remove the bridge with its last port
  std::optional<MacAddr> mac;                       // of the sandbox end; nothing: the kernel's choice
  std::string ipam_type;                            // empty: none, or it cannot be read
  bool ipam_readable = true;                        // false only with kTypes: nobody knows who gave the addresses
  std::optional<protocol::Dns> dns;                 // replaces the IPAM plugin's if set

  // Without IPAM plugin, and certainly so.
  [[nodiscard]] bool layer2() const { return ipam_type.empty() && ipam_readable; }
  [[nodiscard]] bool filters_vlans() const { return vlan != 0 || vlan_trunk.has_value(); }
  // The interface on the host that bears the gateway addresses: the bridge, or its end of the VLAN.
  [[nodiscard]] std::string gateway_interface() const {
    return vlan == 0 || bridge.empty() ? bridge : bridge + "." + std::to_string(vlan);
  }
};

// How much is asked of a configuration. ADD, CHECK and STATUS want all of it, and values that work together (kFull).
// DEL and GC want nothing (kTypes): what was built while it was in order must be removed after it was broken. A key
// that cannot be read is then as good as absent, each for itself; CNI_ARGS and `prevResult` are not looked at.
enum class Validation { kTypes, kFull };

// Errors, of kFull only: code 7 naming the key, 4 for CNI_ARGS.
Result<Config> parse_config(const protocol::Request& request, Validation validation);

// What the story of an attachment has to know.
attachment::Network network_of(const Config& config);

}  // namespace cnio::bridge
