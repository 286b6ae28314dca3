// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/attachment/config.hpp"
#include "cnio/protocol/keys.hpp"

namespace cnio::bridge {

using protocol::KeyType;

inline constexpr protocol::Key kTrunkKeys[] = {
    {"id", KeyType::kInteger, "none", "one VLAN", "1 to 4094"},
    {"minID", KeyType::kInteger, "none", "the first of a range of VLANs", "1 to 4094"},
    {"maxID", KeyType::kInteger, "none", "the last of it, with `minID` only", "1 to 4094"},
};

inline constexpr protocol::Key kKeys[] = {
    {"bridge", KeyType::kText, "\"cni0\"", "the bridge; made if it is missing, adopted if it is there",
     "interface's name"},
    {"isGateway", KeyType::kBoolean, "false", "gives the bridge the gateway address and turns forwarding on"},
    {"isDefaultGateway", KeyType::kBoolean, "false",
     "implies `isGateway`; adds a default route in the pod for each family"},
    {"forceAddress", KeyType::kBoolean, "false",
     "replaces a conflicting address of the bridge instead of failing. **Not** on a bridge that carries the host's own "
     "address, such as one with an uplink: the host would lose that address and its default route"},
    {"allowOverlap", ours(KeyType::kBoolean), "false",
     "another interface of the host may have the gateway's address or subnet; links of different VRFs "
     "always may"},
    attachment::kIpMasqKey,
    attachment::kIpMasqBackendKey,
    attachment::kIpMasqExcludeKey,
    attachment::kIpMasqOnlyKey,
    {"mtu", KeyType::kIntegerOrAuto, "the kernel's",
     "of a new bridge and both ends of the pod's cable; an existing bridge keeps its own. 0 and less: the kernel's; "
     "`\"auto\"` *: that of the default route's interface",
     "68 to 65535, or \"auto\""},
    {"hairpinMode", KeyType::kBoolean, "false", "the pod's port sends back what it received, if so addressed"},
    {"promiscMode", KeyType::kBoolean, "false", "the bridge hears everything; not together with `hairpinMode`"},
    {"vlan", KeyType::kInteger, "0", "the pod is in this VLAN of the bridge, without tags of its own", "0 to 4094"},
    {"vlanTrunk", KeyType::kObjects, "none", "VLANs that the pod gets with their tags", "", kTrunkKeys},
    {"preserveDefaultVlan", KeyType::kBoolean, "false", "keeps the bridge's default VLAN on the pod's port besides"},
    {"macspoofchk", KeyType::kBoolean, "false", "drops what the pod sends under another MAC address than its own"},
    {"portIsolation", KeyType::kBoolean, "false", "pods with it do not reach each other over the bridge"},
    {"disableContainerInterface", KeyType::kBoolean, "false", "leaves the pod's interface down; only without `ipam`"},
    {"enabledad", KeyType::kBoolean, "false", "duplicate address detection for the pod's IPv6 addresses"},
    attachment::kHostIfPrefixKey,
    {"deleteWhenEmpty", ours(KeyType::kBoolean), "false", "removes the bridge with its last port"},
    attachment::kIpamKey,
    attachment::kDnsKey,
    attachment::kMacKey,
    attachment::kMacArgKey,
};

}  // namespace cnio::bridge
