// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

// What is wrong inside of a network's file, without a look at others or at a node. The plugins' own parsers speak
// first, so that their words are those of an ADD. Each finding has a line: "10-x.conflist:9". Kinds: value (an error of
// ADD), unknown-key, doubled-key, file-name, version, no-effect, no-gateway, small.
void lint_inside(const std::string& path, const std::string& text, Report& report);

}  // namespace cnio::cnioctl
