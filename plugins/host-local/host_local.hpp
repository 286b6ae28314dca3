// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/protocol/plugin.hpp"

// host-local: gives addresses from configured ranges and keeps who has which in files of this host. It touches no
// interface and enters no namespace.
namespace cnio::host_local {

protocol::Plugin plugin();

// CNI 1.1.0, section 4, "Delegated Plugin (IPAM)", ADD: one address from every range set, or none at all.
// Errors: code 102 if a set has no free address, or not the requested one; code 103 if the attachment holds an address
// of a set already, which it keeps; code 7, 4, 5, 11.
Result<protocol::AddResult> add(const protocol::Request& request, Rollback& undo);
// Releases whatever the attachment holds on the network; success if that is nothing. Errors: code 5, 11.
Status del(const protocol::Request& request);
// Every range set has an address reserved for the attachment, and so has each address of prevResult that is of a set.
// Errors: code 104 for a difference.
Status check(const protocol::Request& request);
// An ADD could work now: the configuration is valid, resolvConf can be read, reservations can be written, and each
// range set has a free address. Waits for no lock and leaves no trace. Errors: code 50, code 7.
Status status(const protocol::Request& request);
// Releases what attachments hold that are not in cni.dev/valid-attachments, and torn reservations.
Status gc(const protocol::Request& request);

}  // namespace cnio::host_local
