// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cnio/attachment/network.hpp"
#include "cnio/attachment/record.hpp"
#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/net/netlink.hpp"
#include "cnio/net/sandbox.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

namespace cnio::attachment {

// What is left of an attachment, for DEL. From the record, if there is one: then nothing that the sandbox says matters.
// Else by the sandbox's interface if that was made for this network, or by the host end's name and alias.
struct Leftover {
  struct Owned {
    std::vector<IpAddr> addresses;
    std::optional<MacAddr> mac;  // of the interface that had them
  };
  std::vector<net::Link> host_ends;
  std::vector<Owned> owned;  // as recorded, or else as prevResult tells
  bool recorded = false;
  std::string foreign;  // why the sandbox's interface is left alone
  // Without a record: the network to which that interface belongs according to its alias.
  std::optional<std::string> former_network;
};
Result<Leftover> find_leftover(net::Netlink& host, std::optional<net::Sandbox>& sandbox,
                               const protocol::Request& request, const Network& network,
                               const std::vector<RecordedPair>& pairs,
                               const std::optional<protocol::AddResult>& prev_result);

// Is the link where host ends of the network are: in its `bridge`, or in none at all?
bool is_in_place(const Network& network, const net::Link& link, const std::optional<net::Link>& bridge);

// Removes the links of this network's attachments that are not valid, for GC, wherever they are: those that are
// recorded, and those with its mark. Goes on past failures and reports all. Error: code 103 if there are links that may
// be of an attachment that is not valid, but do not say so; then no address may be released.
Status remove_stale_links(net::Netlink& host, uint64_t host_number, const Network& network, const std::string& name,
                          const std::vector<protocol::Attachment>& valid);

}  // namespace cnio::attachment
