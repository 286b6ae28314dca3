// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cnio/protocol/version.hpp"

namespace cnio::protocol {

// The three shapes that results have had.
enum class Shape { kIp4Ip6, kWithVersion, kCurrent };

inline Shape shape_of(SpecVersion version) {
  if (version < SpecVersion::k030) return Shape::kIp4Ip6;
  return version < SpecVersion::k100 ? Shape::kWithVersion : Shape::kCurrent;
}

}  // namespace cnio::protocol
