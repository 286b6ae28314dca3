// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/version.hpp"

// What IPAM plugins have in common: addresses that a runtime asks for, and what can be said of addresses that are asked
// for or configured.
namespace cnio::ipam {

// The key "ipam" of an IPAM plugin's configuration, as its table knows it. Errors: code 7.
Result<protocol::Fields> ipam_of(const protocol::Fields& config);

// An address that is asked for, as it was written.
struct Requested {
  std::string text;
  std::string key;            // its place: "runtimeConfig.ips[0]", or "IP" of CNI_ARGS
  bool by_arguments = false;  // it stands in CNI_ARGS

  // An error about it: of code 7, of code 4 for CNI_ARGS.
  [[nodiscard]] Error fault(std::string_view why) const;
};

// What CNI_ARGS has of the keys that are for this plugin. The others are for other IPAM plugins and for the plugin that
// calls, which passes the same string on. Errors: code 4.
Result<std::map<std::string, std::string, std::less<>>> parse_arguments(const protocol::Request& request,
                                                                        const protocol::Keys& keys);

// args.cni.ips, and runtimeConfig.ips (capability `ips`), of a configuration whose table knows them. Errors: code 7.
Result<std::vector<Requested>> requested_by_args(const protocol::Fields& config);
Result<std::vector<Requested>> requested_by_runtime(const protocol::Fields& config);

// Why a host of the network cannot use this gateway, which it has to reach on its link: it must be an address of the
// network that a host can have, or in IPv6 a link-local one. Empty: it can. Begins with the gateway: "10.2.0.1 is not
// in the subnet 10.1.0.0/24".
std::string why_no_gateway(const Cidr& network, const IpAddr& gateway);

// Before CNI 0.3.0 a result has room for one address of each family. `what` names, in the plural, what gives one
// address each, of these families. Errors: code 7.
Status check_room(const std::vector<Family>& families, std::string_view what, protocol::SpecVersion version);

}  // namespace cnio::ipam
