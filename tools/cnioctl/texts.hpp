// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cnio::cnioctl {

// "a,,b" is three parts at ',', and the empty text is one.
std::vector<std::string> split_at(std::string_view text, char separator);
// ASCII's capitals alone.
std::string lowered(std::string_view text);

}  // namespace cnio::cnioctl
