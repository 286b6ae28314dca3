// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/protocol/request.hpp"
#include "cnio/protocol/result.hpp"

// The namespace is not the folder's name, which is a word of the language.
namespace cnio::static_ipam {

// A valid configuration; README.md lists its keys.
struct Config {
  // The addresses in the order in which they were written: of runtimeConfig.ips, else args.cni.ips, else ipam.addresses
  // and CNI_ARGS IP together. Each can be an interface's, none is there twice, and each gateway can be reached; before
  // CNI 0.3.0 there is at most one of each family. There may be none.
  std::vector<protocol::IpConfig> addresses;
  std::vector<protocol::Route> routes;
  protocol::Dns dns;
};

// Errors: code 7, code 4 for CNI_ARGS; each names the key and its value. CNI_ARGS is not looked at for STATUS.
Result<Config> parse_config(const protocol::Request& request);

}  // namespace cnio::static_ipam
