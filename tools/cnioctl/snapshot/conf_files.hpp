// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cnio/protocol/json.hpp"

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// A network's file, without what is nobody else's business.
struct ConfFile {
  std::string name;     // in its folder
  protocol::Json json;  // null: it is none
};

// Those that runtimes take, in the order of their names. `report` gains what could not be read.
std::vector<ConfFile> read_conf_files(const std::string& conf_dir, Report& report);

// The same without the values of members that bear a name such as "password", "token" or "secretKey": their place is
// kept, for that it was there may matter.
protocol::Json without_secrets(const protocol::Json& value);

}  // namespace cnio::cnioctl
