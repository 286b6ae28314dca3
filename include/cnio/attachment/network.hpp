// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cnio/attachment/config.hpp"

namespace cnio::attachment {

// What the story of an attachment asks of its network, whatever kind of link that makes.
struct Network : MainConfig {
  std::string_view plugin;         // "bridge": named in notes
  bool ports = false;              // the host ends are ports of `bridge`
  std::string bridge;              // empty: it cannot be read, or there is none
  std::string mtu_advice;          // how to raise it, for IPv6
  bool sandbox_end_down = false;   // layer 2: as it is made
  bool detect_duplicates = false;  // IPv6 duplicate address detection in the sandbox
};

}  // namespace cnio::attachment
