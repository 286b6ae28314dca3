// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/mac.hpp"
#include "cnio/base/result.hpp"
#include "cnio/net/route.hpp"
#include "cnio/protocol/result.hpp"

// What follows from the IPAM plugin's answer, computed without touching the kernel.
namespace cnio::attachment {

// What a network makes of the answer.
struct Completion {
  std::string ipam_type;        // named in errors
  size_t sandbox_entry = 0;     // of the result: the interface that has the addresses
  bool gateways = false;        // the host is the gateway: an address without one gets its network's first
  bool default_routes = false;  // a default route for each family that has none in the main table
};
// Error: code 101 if the plugin returned no address, one that no interface can have (of a group, of the host itself,
// for everybody, of the whole world), one twice, or a gateway of the other family.
Result<protocol::AddResult> complete_ipam_result(const Completion& completion, protocol::AddResult ipam);

// The gateway addresses of the host: each gateway with its address's prefix, without
// duplicates.
std::vector<Cidr> gateway_addresses(const protocol::AddResult& result);

// The routes of a completed result as the kernel gets them: a route without gateway goes through the first gateway of
// its family, unless its scope says that it is on the link. One that stands there twice, or that comes with an address,
// is there once. Error: code 101 naming two that exclude each other.
Result<std::vector<net::RouteSpec>> kernel_routes(const protocol::AddResult& result);

std::vector<IpAddr> addresses_of(const protocol::AddResult& result);
// The same with their prefixes.
std::vector<Cidr> networks_of(const protocol::AddResult& result);

// The entry of an interface on the host (no sandbox) or in a sandbox; null if there is none.
const protocol::Interface* find_entry(const protocol::AddResult& result, const std::string& name, bool in_sandbox);

// The result with the addresses of this interface of the sandbox alone: others belong to other plugins of the chain.
protocol::AddResult part_of(protocol::AddResult result, const std::string& ifname);

// What the result of an ADD says about the interface `ifname` of the sandbox, other plugins' interfaces left out.
struct Recorded {
  std::vector<IpAddr> addresses;
  std::optional<MacAddr> mac;
};
Recorded recorded_attachment(const std::optional<protocol::AddResult>& result, const std::string& ifname);

}  // namespace cnio::attachment
