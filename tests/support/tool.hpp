// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cnio::test {

/// A program for people, as it is installed: of the folder CNIO_TOOL_DIR, or else of the build's own stage.
std::string tool(const std::string& name);

}  // namespace cnio::test
