// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cnio/attachment/delegate.hpp"
#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"

#include "bridge/config.hpp"

namespace cnio::bridge {

// The IPAM plugin of the network; none for layer 2. Errors: those of Delegate::find, and code 7 if DEL or GC cannot
// read which it is.
Result<std::optional<attachment::Delegate>> find_ipam(const protocol::Request& request, const Config& config);

// Some IPAM plugins are known to have no use for the link: they work while it is made, and may give the address to
// somebody else once it is gone. All others get the reference's order.
bool works_without_link(const std::string& ipam_type);
// This one says good-bye over the link.
bool releases_over_link(const std::string& ipam_type);

}  // namespace cnio::bridge
