// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "cnioctl/picture/scene.hpp"

namespace cnio::cnioctl {

// How many pods of a bridge may be shown one by one, so that a picture can be taken in with several bridges, too.
size_t rows_for_each(const std::vector<SceneGroup>& groups);

// Of more than `most` rows those that are well become one, and then, if there are still too many, those of each trouble
// but for the first of them. What is wrong comes first. The title of a box of many names them.
void fold(std::vector<SceneRow>& rows, size_t most = kMostRows);

}  // namespace cnio::cnioctl
