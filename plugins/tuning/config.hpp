// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/net/link/link.hpp"
#include "cnio/protocol/request.hpp"

#include "tuning/setting_name.hpp"

namespace cnio::tuning {

// A sysctl that is to be set.
struct Setting {
  std::string place;  // "args.cni.sysctl.net.core.somaxconn": for messages
  std::string key;    // as it is spelled
  std::string value;
  SettingName name;
};

// A valid configuration; keys.hpp lists its keys.
struct Config {
  std::vector<Setting> settings;  // in the order in which they are written, no two of which are the same
  net::LinkChange link;           // of the interface
};

// Errors: code 7, naming the key and its value; 4 for CNI_ARGS.
Result<Config> parse_config(const protocol::Request& request);

// `dataDir`, for DEL and GC, too, to which one that cannot be read is the same as none.
std::string data_dir(const protocol::Request& request);

}  // namespace cnio::tuning
