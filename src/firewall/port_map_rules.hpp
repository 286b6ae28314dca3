// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/firewall/port_map.hpp"
#include "cnio/firewall/xtables.hpp"

// The chains in table nat by which the reference leads ports to pods, and which nerdctl, podman and people read.
namespace cnio::firewall {

inline constexpr const char* kHostPortChain = "CNI-HOSTPORT-DNAT";
inline constexpr const char* kSetMarkChain = "CNI-HOSTPORT-SETMARK";
inline constexpr const char* kMasqueradeChain = "CNI-HOSTPORT-MASQ";
inline constexpr const char* kPodChainPrefix = "CNI-DN-";
// What versions of the reference before 0.8 made besides, and the pod's chains that it led to.
inline constexpr const char* kFormerSnatChain = "CNI-HOSTPORT-SNAT";
inline constexpr const char* kFormerPodChainPrefix = "CNI-SN-";

// The pod's chain, as the reference names it, which knows no interface and takes a+bc for ab+c; and ours, for the
// second of two whom that would mix up.
std::string reference_pod_chain(const RuleOwner& owner);
std::string own_pod_chain(const RuleOwner& owner);
// Of the reference before 0.8.
std::string former_pod_chain(const RuleOwner& owner);

// The rules that lead to the shared chains, and those in them.
XtablesRule to_host_ports();    // in PREROUTING and OUTPUT
XtablesRule to_masquerading();  // in POSTROUTING
XtablesRule masquerade_marked(uint32_t mark);
XtablesRule set_mark(uint32_t mark);

// In kHostPortChain: for each protocol, by its name, and for each fifteen ports.
std::vector<XtablesRule> entry_rules(const PortMapSpec& spec, Family family, const std::string& pod_chain);

// In the pod's chain. What has to be masqueraded is marked by a jump to `mark_chain`, or, if that is empty, at once.
std::vector<XtablesRule> pod_rules(const PortMapSpec& spec, Family family, const std::string& mark_chain);

// The comment of the entry rules, and whom it names; nothing if it is none, or was cut.
std::string entry_comment(const RuleOwner& owner);
std::optional<RuleOwner> owner_in_entry_comment(const std::string& comment);

// Is its container none of those that are valid? For what the reference made, which knows no interfaces.
bool is_stale_container(const RuleOwner& owner, const std::vector<protocol::Attachment>& valid);

// Code 103, naming the holder.
Error port_is_taken(const PortMapping& mapping, std::string_view holder);

// The pod's address of this family; nothing if it has none, or if no mapping is for it.
std::optional<Cidr> mapped_address(const PortMapSpec& spec, Family family);

}  // namespace cnio::firewall
