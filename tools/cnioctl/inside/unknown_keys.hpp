// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/protocol/json.hpp"

#include "cnioctl/inside/known_plugins.hpp"

namespace cnio::cnioctl {

// A key that nobody reads: it is ignored, as the specification wants it, and so misspelt ones are not noticed.
struct UnknownKey {
  std::string path;     // "ipam.ranges[0][0].subet"
  std::string meant{};  // the key that it is most like; empty: none is
};

// Of a plugin's own configuration, with what it says to its IPAM plugin, if that is one of ours.
std::vector<UnknownKey> find_unknown_keys(const KnownPlugin& plugin, const protocol::Json& config);
// Of the list itself, without its plugins.
std::vector<UnknownKey> find_unknown_list_keys(const protocol::Json& list);

}  // namespace cnio::cnioctl
