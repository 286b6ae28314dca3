// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/firewall/pod_firewall.hpp"
#include "cnio/firewall/xtables.hpp"

// The rules of the reference's firewall plugin, word for word: programs and people look for them.
namespace cnio::firewall {

inline constexpr char kForwardChain[] = "FORWARD";
inline constexpr char kPodChain[] = "CNI-FORWARD";
inline constexpr char kFirstStage[] = "CNI-ISOLATION-STAGE-1";
inline constexpr char kSecondStage[] = "CNI-ISOLATION-STAGE-2";

// Of the chain FORWARD, the second in front of the first.
XtablesRule pod_chain_jump();
XtablesRule stage_jump();
// The first of the pods' chain.
XtablesRule admin_jump(const std::string& admin_chain);

// Of the pods' chain: answers to what the pod has sent, and what it sends. What is mapped to it by a NAT rule is new,
// and no answer: the reference leaves it to whatever comes behind.
std::vector<XtablesRule> reference_pod_rules(const IpAddr& address);
XtablesRule mapped_rule(const IpAddr& address);
std::vector<XtablesRule> pod_rules(const IpAddr& address);
// The same for all pods that our own table knows: it has marked their packets.
XtablesRule marked_rule();
// One bit of a packet's mark that is free beside kube-proxy (14, 15), the reference's portmap (13) and Calico (16 on).
inline constexpr uint32_t kPassMark = 1U << 12U;

// Of both stages, the last.
XtablesRule stage_end();
// In the order in which they stand in front of all others. A policy that asks for nothing has none.
std::vector<XtablesRule> first_stage_rules(const std::string& bridge, IngressPolicy policy);
XtablesRule second_stage_rule(const std::string& bridge);
// In front of those: a pod that calls itself by a port of the host leaves its bridge and comes back to it.
XtablesRule own_loop_rule(const std::string& bridge, const IpAddr& address);

}  // namespace cnio::firewall
