// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cnio/base/result.hpp"
#include "cnio/firewall/pod_firewall.hpp"
#include "cnio/protocol/request.hpp"

// The plugin's namespace is not its name, which is a layer's.
namespace cnio::pod_firewall {

// A valid configuration; keys.hpp lists its keys.
struct Config {
  std::optional<firewall::PodBackend> backend;  // nothing: whichever the host has
  std::string ignored_backend;                  // a value that means nothing, to be noted
  std::string admin_chain = "CNI-ADMIN";
  std::string zone = "trusted";
  firewall::IngressPolicy policy = firewall::IngressPolicy::kOpen;
};

// Errors: code 7, naming the key and its value.
Result<Config> parse_config(const protocol::Request& request);

}  // namespace cnio::pod_firewall
