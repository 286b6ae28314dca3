// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace cnio::cnioctl {

// Shall what is printed have colours? `when` is auto, always or never; auto: on a terminal that is no dumb one, unless
// NO_COLOR says otherwise (no-color.org).
bool wants_colour(std::string_view when);

// Text for people, with the words in colour that say how something is: where a line begins, and behind a file's name.
std::string coloured(std::string_view text);

}  // namespace cnio::cnioctl
