// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

// What every plugin does that adds to what the plugins before it in the chain have made (CNI 1.1.0, section 1): their
// result comes in as prevResult, and goes out as it is, in the configuration's version.
namespace cnio::attachment {

// ADD: `make` gets the result so far and may add to it; all that it makes it registers for undo, or makes at once. That
// the answer can be written is known before. Errors: code 7 if there is no prevResult, code 2 as format_result.
Result<protocol::AddResult> add_to_chain(const protocol::Request& request,
                                         const std::function<Status(protocol::AddResult& result)>& make);

// CHECK: `compare` gets the result of the whole chain. Error: code 7 if there is none.
Status check_in_chain(const protocol::Request& request,
                      const std::function<Status(const protocol::AddResult& result)>& compare);

// REPAIR: `add` again, if `check` finds a difference; what it makes stays. To be called where ADD replaces whatever the
// attachment has.
Result<std::string> repair_in_chain(
    const protocol::Request& request, const std::function<Status(const protocol::Request&)>& check,
    const std::function<Result<protocol::AddResult>(const protocol::Request&, Rollback& undo)>& add);

// STATUS: what keeps ADD from working is code 50, unless it is 51 already, or a fault of the configuration (7).
Status status_of(Status rehearsed);

// GC: `collect` gets the attachments of this network that stay. Error: code 7 if they are not listed.
Status collect_garbage(const protocol::Request& request,
                       const std::function<Status(const std::vector<protocol::Attachment>& valid)>& collect);

// For DEL, to which a result that is not there, or cannot be read, is the same as none.
std::optional<protocol::AddResult> readable_prev_result(const protocol::Request& request);

// The addresses that are the container's, in the order of the result: those of its interface in the sandbox, and those
// of which the result does not say whose they are. Not those of the host or of another interface.
std::vector<Cidr> addresses_of_container(const protocol::AddResult& result, const protocol::Attachment& attachment);

}  // namespace cnio::attachment
