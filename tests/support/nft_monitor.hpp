// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "support/subprocess.hpp"
#include "support/temp_folder.hpp"

namespace cnio::test {

/// What is changed in nf_tables from now on, as `nft monitor` tells it.
class NftMonitor {
 public:
  NftMonitor();

  /// All until now.
  std::string seen() const;

 private:
  TempFolder folder_;
  Child program_;
};

}  // namespace cnio::test
