// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cnio/base/result.hpp"
#include "cnio/protocol/json.hpp"
#include "cnio/protocol/keys.hpp"
#include "cnio/protocol/request.hpp"

namespace cnio::cnioctl {

// What a plugin of ours makes of its configuration: its own parser and table of keys, those of this version.
struct KnownPlugin {
  std::string_view name;
  protocol::Keys keys;
  Status (*parse)(const protocol::Request& request);
};

// All of ours, as they are listed in plugins/CMakeLists.txt: plugin_table.cpp.in.
std::span<const KnownPlugin> known_plugins();

// Nullptr: none of ours.
const KnownPlugin* find_plugin(std::string_view type);

// What an ADD with this configuration would say of it, before it does anything. Errors: the plugin's own.
Status try_config(const KnownPlugin& plugin, const protocol::Json& config);

}  // namespace cnio::cnioctl
