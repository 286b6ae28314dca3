// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/ipam/reservation_store.hpp"
#include "cnio/protocol/request.hpp"

#include "host-local/config.hpp"

// Which addresses an ADD gets, and which reservations are in its way.
namespace cnio::host_local {

// Who has the address, for messages.
std::string holder_of(const IpAddr& addr, const std::vector<ipam::Reservation>& reservations);

// The requested address of each set, if there is one. Errors: code 7 for one outside all sets or two of one set;
// code 102 for one that is never given.
Result<std::vector<std::optional<IpAddr>>> assign_requested(const Config& config);

// One address of every range set, in their order.
struct Plan {
  std::vector<ipam::Grant> grants;
  std::vector<ipam::Grant> fresh;            // those that have to be reserved
  std::vector<ipam::Reservation> continued;  // the attachment's own of before, for the others
};

// Chooses the addresses. `held` is what the attachment holds, `now` where it is being added. Nothing is reserved; what
// containers of before the last boot hold is released if one of them is in the way (Config::store.reclaim).
// Errors: code 102 if a set has no free address, or not the requested one; code 103 if the attachment holds an address
// of a set and may still be using it.
Result<Plan> choose(const protocol::Request& request, const Config& config,
                    const std::vector<std::optional<IpAddr>>& requested, const std::vector<ipam::Reservation>& held,
                    const std::optional<ipam::Origin>& now, ipam::ReservationStore& store);

// Every set has an address for the next attachment, if need be one that `choose` would release. Error: code 50.
Status check_free(const protocol::Request& request, const Config& config, const std::optional<ipam::Origin>& now,
                  ipam::ReservationStore& store);

// Was it made for a container that ran before the last boot, as far as that may be relied on?
bool is_given_up(const ipam::Reservation& reservation, bool reclaim, const std::optional<ipam::Origin>& now);

// One line on stderr, for what a call did besides its work.
void note(const std::string& text);

}  // namespace cnio::host_local
