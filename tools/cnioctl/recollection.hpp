// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "cnioctl/remembered.hpp"
#include "cnioctl/world/world.hpp"

namespace cnio::cnioctl {

// Where the sandbox of an attachment that lives is: where it was made, or, of these (find_sandboxes), the one that its
// cable leads into. Empty: nothing tells.
std::string sandbox_of(const Attached& attached, const std::map<int, std::string>& sandboxes);

// How it was made, by libcni's cache, or else by what we have recorded of the pair that stands. Errors: code 3 if
// neither tells; code 6.
Result<Remembered> remember_live(const Attached& attached, const std::map<int, std::string>& sandboxes);

}  // namespace cnio::cnioctl
