// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace cnio::cnioctl {

// FIPS 180-4, as sha256sum(1) prints it: which build an executable is.
std::string sha256(std::string_view data);

}  // namespace cnio::cnioctl
