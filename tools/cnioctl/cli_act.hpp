// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "cnioctl/command_line/table.hpp"

namespace cnio::cnioctl {

// lint, gc, resync and explain: what is there is put right, or would be.
std::span<const Verb> act_verbs();

}  // namespace cnio::cnioctl
