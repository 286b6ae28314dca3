// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/firewall/transport.hpp"
#include "cnio/protocol/request.hpp"

// Ports of the host that lead to a pod. All functions act in the calling thread's network namespace, on rules found by
// their owner, so that they can be removed when pod, interface, configuration and result are long gone.
namespace cnio::firewall {

// How a host port is translated. Each is a pair of files in src/firewall with functions for install, remove, check,
// collect and rehearse (port_map_nftables.hpp), which port_map.cpp calls: DEL and GC those of all of them.
enum class PortMapBackend : uint8_t {
  kShown,     // the reference's chains, which iptables prints, by netlink; by the program where old tables are in use
  kIptables,  // the same, by the iptables program
  kNftables,  // a table of our own, by netlink
};

struct PortMapping {
  uint8_t protocol = 0;  // IPPROTO_*
  uint16_t host_port = 0;
  uint16_t pod_port = 0;
  // Which of the host's addresses: none, all of both families; 0.0.0.0 or ::, all of that family.
  std::optional<IpAddr> host_ip;

  auto operator<=>(const PortMapping&) const = default;
  // For this family at all?
  [[nodiscard]] bool serves(Family family) const { return !host_ip || host_ip->family() == family; }
  // The one address of the host; none if it is all.
  [[nodiscard]] std::optional<IpAddr> only_address() const {
    return host_ip && !host_ip->is_unspecified() ? host_ip : std::nullopt;
  }
};

struct PortMapSpec {
  RuleOwner owner;
  std::vector<PortMapping> mappings;
  std::vector<Cidr> pod;  // its addresses, at most one of each family, each with the prefix of its subnet
  bool snat = true;       // the pod sees the host where it could not answer otherwise: itself, its subnet, 127.0.0.1
  bool masquerade_all = false;             // or the host in place of everybody
  uint32_t mark = 1U << 13;                // of packets to be masqueraded, where a back end uses one
  std::string set_mark_chain;              // externalSetMarkChain: the chain of somebody else that does it
  std::vector<std::string> conditions_v4;  // in the words of the back end
  std::vector<std::string> conditions_v6;
  PortMapBackend backend = PortMapBackend::kShown;

  [[nodiscard]] const std::vector<std::string>& conditions(Family family) const {
    return family == Family::kIpv4 ? conditions_v4 : conditions_v6;
  }
};

// Are the conditions, as they stand at `key`, such that the back end understands them? Error: code 7.
Status check_conditions(PortMapBackend backend, Family family, const std::vector<std::string>& conditions,
                        std::string_view key);

// Leads the ports to the pod, all of them or none, in place of all that the owner had before with whatever back end.
// What was made is registered in `undo`. A mapping for an address family that the pod does not have is left out, and so
// is one to which no packet could come (127.0.0.1 without snat, ::1). Programs that listen on such a port already are
// named in `notes`. Errors: code 103 naming the holder of a port that another pod has; 100, 7.
Status install_port_map(const PortMapSpec& spec, const protocol::Environment& environment, Rollback& undo,
                        std::vector<std::string>& notes);

// All that the owner has, of every back end; nothing is success. Connections by it that have no end of their own (UDP)
// are forgotten. Goes on past failures.
Status remove_port_map(const RuleOwner& owner, const protocol::Environment& environment);

// Error: code 104, naming what is missing or different. Changes nothing.
Status check_port_map(const PortMapSpec& spec, const protocol::Environment& environment);

// Those of all attachments of the network that are not valid. Goes on past failures and reports all.
Status collect_port_map_garbage(const std::string& network, const std::vector<protocol::Attachment>& valid,
                                const protocol::Environment& environment);

// For STATUS: could install_port_map work? Changes nothing. Errors: code 100.
Status rehearse_port_map(PortMapBackend backend, const protocol::Environment& environment);

}  // namespace cnio::firewall
