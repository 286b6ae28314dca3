// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cnio::cnioctl {

// RFC 4648, section 4, as Go writes bytes into JSON. Nothing if it is not that.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace cnio::cnioctl
