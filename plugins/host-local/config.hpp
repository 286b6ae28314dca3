// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cnio/base/ip.hpp"
#include "cnio/base/result.hpp"
#include "cnio/ipam/range_set.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

namespace cnio::host_local {

// Where and how the reservations of the network are kept.
struct StoreConfig {
  std::string folder;
  std::chrono::milliseconds lock_limit;  // ipam.lockTimeoutSeconds: how long the lock is waited for
  // ipam.reclaim: may an address be given to another container when its own ran before the last boot?
  bool reclaim = true;
};

// A valid configuration; keys.hpp has the table for users.
struct Config {
  // One address each for an attachment: runtimeConfig.ipRanges, ipam.subnet, ipam.ranges, in this order.
  // At least one; disjoint; before CNI 0.3.0 at most one of each family. What ipam.exclude names is excluded from each,
  // and each has an address left to give.
  std::vector<ipam::RangeSet> sets;
  // CNI_ARGS IP, args.cni.ips and runtimeConfig.ips together, without repetitions; not yet compared with the sets.
  std::vector<IpAddr> requested;
  std::vector<protocol::Route> routes;
  std::string resolv_conf;  // path; empty: no dns in the result
  StoreConfig store;
};

// Everything is checked that can be checked without the store. Errors: code 7, code 4 for CNI_ARGS; each names the key
// and its value. CNI_ARGS is not looked at for STATUS.
Result<Config> parse_config(const protocol::Request& request);

// The network's reservations: all that DEL and GC need. It cannot fail, whatever is wrong or gone, so that addresses
// can be released in any case: the folder is then the default one, which `ignored` gains a sentence about; the time
// limit is the default, and nothing is given up. CNI_ARGS is not looked at.
StoreConfig parse_store(const protocol::Request& request, std::vector<std::string>& ignored);

}  // namespace cnio::host_local
