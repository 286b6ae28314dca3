// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/picture/scene.hpp"

namespace cnio::cnioctl {

// For browsers and documents: without scripts, in the fonts of whoever looks at it, for light and dark pages. A shape's
// title is all that is known of what it stands for.
std::string svg_of(const Scene& scene);

// The same for Graphviz.
std::string dot_of(const Scene& scene);

}  // namespace cnio::cnioctl
