// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "support/tool.hpp"

#include <cstdlib>

namespace cnio::test {

std::string tool(const std::string& name) {
  const char* folder = std::getenv("CNIO_TOOL_DIR");
  const bool given = folder != nullptr && *folder != '\0';
  return std::string(given ? folder : CNIO_STAGED_TOOLS) + "/" + name;
}

}  // namespace cnio::test
