// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/keys.hpp"

namespace cnio::flannel {

// No delegate of itself.
inline constexpr char kOwnType[] = "flannel";

using protocol::Key;
using protocol::KeyType;

inline constexpr Key kKeys[] = {
    {"subnetFile", KeyType::kText, "\"/run/flannel/subnet.env\"",
     "the file that says which subnet is this node's, as flanneld writes it"},
    {"dataDir", KeyType::kText, "\"/var/lib/cni/flannel\"", "where DEL finds what ADD has told the delegate"},
    {"delegate", KeyType::kObject, "{}",
     "the configuration of the plugin that makes the interface; `type` (bridge), `ipMasq`, `mtu` and, of bridge, "
     "`isGateway` have defaults of flannel's. `ipMasqExclude` * is the cluster's networks where `ipMasq` is on",
     "object without `name` and `ipam`"},
    {"ipam", KeyType::kObject, "{}",
     "the delegate's; `type` is host-local by default, `ranges` is the node's subnets, and routes to the cluster's "
     "networks are added to `routes`"},
    {"runtimeConfig", KeyType::kObject, "none", "goes to the delegate as it is"},
    {"args", {KeyType::kObject, protocol::kConfiguration, true}, "none", "the same, unless `delegate` has its own"},
    {"dns", {KeyType::kObject, protocol::kConfiguration, true}, "none", "the same"},
};

}  // namespace cnio::flannel
