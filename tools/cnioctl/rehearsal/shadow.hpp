// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/net/netns.hpp"

#include "cnioctl/rehearsal/observation.hpp"

namespace cnio::cnioctl {

// The machine's files for a process that may write what it likes, and changes none of them: all is read-only, but some
// folders, of which what is written goes into memory (overlayfs). It ends with the process, however that ends.
class Shadow {
 public:
  // The calling process leaves the machine's mount namespace for good. `folders` become writable, also those that do
  // not exist yet; what is below `needed` stays to be seen. Errors: code 5; code 100 if the kernel is older than 5.12.
  static Result<Shadow> cast(const std::vector<std::string>& folders, const std::vector<std::string>& needed);

  // The files in these folders that were made, changed or removed.
  [[nodiscard]] Status observe(Things& out) const;
  // The calling thread's network namespace is to be found here from now on.
  [[nodiscard]] Result<std::string> keep_namespace(const std::string& name) const;

 private:
  struct Layer {
    std::string folder;
    std::string upper;
  };
  explicit Shadow(std::string scratch) : scratch_(std::move(scratch)) {}
  Status lay_over(const std::string& folder);

  std::string scratch_;
  std::vector<Layer> layers_;
};

}  // namespace cnio::cnioctl
