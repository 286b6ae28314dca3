// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::bridge {

// CNI 1.1.0, section 2, DEL: all that is left of the attachment goes, whatever has become of its sandbox, its network's
// name and its configuration. What cannot be removed is reported after all the rest. Errors: code 100, 101, 7.
Status del(const protocol::Request& request);

// GC: the same of all attachments of the network that are not valid. Error: code 103 if a link may be one of theirs and
// does not say so; then no address is released.
Status gc(const protocol::Request& request);

}  // namespace cnio::bridge
