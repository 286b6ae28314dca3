// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "cnio/attachment/record.hpp"
#include "cnio/base/result.hpp"
#include "cnio/base/rollback.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/request.hpp"

// The veth pair of one attachment.
namespace cnio::attachment {

struct Veth {
  net::Link host_end;
  net::Link sandbox_end;  // as we made it
};

// Error: code 103 if the sandbox has an interface of that name already, or one with it as an alternative name.
Status check_name_is_free(net::Sandbox& sandbox, const protocol::Request& request);

struct PairSpec {
  uint32_t mtu = 0;                           // of both ends; 0: the kernel's choice
  net::IfIndex master = net::IfIndex::kNone;  // the bridge that the host end joins
};

// Creates the pair, both ends down, with the MAC addresses of `pair`, once that has been written into the record;
// completes it by name and number. Registers its removal.
Result<Veth> create_pair(net::Netlink& host, net::Sandbox& sandbox, const protocol::Request& request,
                         const PairSpec& spec, RecordedPair& pair, std::optional<AttachmentRecord>& record,
                         Rollback& undo);

// Waits until both ends can pass frames: the host end as a port of its bridge, and the other, which drops what it is to
// send until the kernel has seen its carrier. Error: code 11 after kPortTimeoutMs.
inline constexpr int kPortTimeoutMs = 10'000;
Status wait_for_pair(net::Netlink& host, net::Sandbox& sandbox, const Veth& veth);
// The same for one link; `listen` hears the notifications of the namespace that it is in.
Status wait_operational(net::Netlink& route, const net::Link& link, const net::Listen& listen);

}  // namespace cnio::attachment
