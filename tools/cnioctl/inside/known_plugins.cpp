// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/inside/known_plugins.hpp"

#include <algorithm>

namespace cnio::cnioctl {

const KnownPlugin* find_plugin(std::string_view type) {
  const std::span<const KnownPlugin> all = known_plugins();
  const auto found = std::find_if(all.begin(), all.end(), [&](const KnownPlugin& each) { return each.name == type; });
  return found == all.end() ? nullptr : &*found;
}

Status try_config(const KnownPlugin& plugin, const protocol::Json& config) {
  protocol::Request request;
  request.plugin = plugin.name;
  request.command = protocol::Command::kAdd;  // which every version has; it asks for all that is to be right
  request.attachment = {"lint", "eth0"};
  CNIO_TRY(protocol::parse_stdin(request, protocol::format_json(config)));
  return plugin.parse(request);
}

}  // namespace cnio::cnioctl
