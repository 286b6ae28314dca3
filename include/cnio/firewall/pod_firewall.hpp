// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/firewall/owner.hpp"
#include "cnio/protocol/request.hpp"

// Pods and the host's firewall: what a pod sends, the answers to that and what is mapped to the pod passes a chain for
// forwarded packets that drops all else, and pods of different bridges, or of one, are kept from each other. All
// functions act in the calling thread's network namespace, on rules that say whose they are.
namespace cnio::firewall {

enum class PodBackend {
  kIptables,   // the chains of the reference, as iptables shows them; by netlink where that is iptables-nft's
  kFirewalld,  // a zone of firewalld, asked by D-Bus
  kNftables,   // a table of our own, and one rule where iptables' chains would drop
};

enum class IngressPolicy {
  kOpen,
  kSameBridge,  // bridges with a policy do not reach each other
  kIsolated,    // nor do the pods of one
};

// Where the pod's cable comes out on the host.
struct PodPort {
  std::string bridge;
  std::string name;

  bool operator==(const PodPort&) const = default;
};

struct PodFirewallSpec {
  RuleOwner owner;
  std::vector<IpAddr> addresses;  // the pod's
  PodBackend backend = PodBackend::kIptables;
  std::string admin_chain = "CNI-ADMIN";
  std::string zone = "trusted";
  IngressPolicy policy = IngressPolicy::kOpen;
  std::optional<PodPort> port;  // needed for every policy but kOpen

  [[nodiscard]] std::vector<IpAddr> addresses_of(Family family) const;
};

// Is firewalld at work, as far as the system's bus knows? No process is started where there is no bus.
Result<bool> is_firewalld_running(const protocol::Environment& environment);

// Replaces whatever the owner, or its addresses' former owners, had. A policy is one of the bridge: the last ADD
// decides for all of its pods. Errors: code 7 (firewalld refuses zone or address, or cannot be spoken to), 100,
// 103, 11.
Status install_pod_firewall(const PodFirewallSpec& spec, const protocol::Environment& environment, Rollback& undo);

// Everything of the owner, whatever back end made it, and what the reference made for these addresses unless they are
// another owner's by now. Absence is success; goes on past failures.
Status remove_pod_firewall(const RuleOwner& owner, const std::vector<IpAddr>& known_addresses,
                           const protocol::Environment& environment);

// Error: code 104 for the first thing that is not as install_pod_firewall makes it.
Status check_pod_firewall(const PodFirewallSpec& spec, const protocol::Environment& environment);

// The same as remove_pod_firewall for all owners of the network that are not valid.
Status collect_pod_firewall_garbage(const std::string& network, const std::vector<protocol::Attachment>& valid,
                                    const protocol::Environment& environment);

// For STATUS: would install_pod_firewall work? Changes nothing.
Status rehearse_pod_firewall(PodBackend backend, const protocol::Environment& environment);

}  // namespace cnio::firewall
