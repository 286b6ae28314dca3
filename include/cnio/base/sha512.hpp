// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cnio {

// The first `digits` (1 to 128) lower-case hex digits of the SHA-512 of `data` (FIPS 180-4). Rules and chains in the
// firewall carry such names, the reference's among them, so that both implementations find each other's.
std::string sha512_hex(std::string_view data, size_t digits);

}  // namespace cnio
