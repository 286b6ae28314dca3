// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnio/base/result.hpp"
#include "cnio/ipam/subnet_file.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::flannel {

// keys.hpp lists the keys. Borrows the request: objects that are not there are null.
struct Config {
  std::string subnet_file = ipam::kSubnetFile;
  std::string data_dir = "/var/lib/cni/flannel";
  const protocol::Json* delegate = nullptr;
  const protocol::Json* ipam = nullptr;
  const protocol::Json* runtime_config = nullptr;
  const protocol::Json* args = nullptr;
  const protocol::Json* dns = nullptr;
};

// Errors: code 7, naming the key and its value.
Result<Config> parse_config(const protocol::Request& request);

// For DEL and GC, to which what cannot be read is the same as what is not there.
Config readable_config(const protocol::Request& request);

}  // namespace cnio::flannel
