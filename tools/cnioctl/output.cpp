// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/output.hpp"

#include "cnio/base/whole_file.hpp"

#include "cnioctl/describe.hpp"

namespace cnio::cnioctl {

Outcome deliver(const Facts& facts, const std::string& file, std::string content, Readers readers) {
  if (file.empty() || file == "-") return outcome_of(facts, false, std::move(content));
  const mode_t mode = readers == Readers::kAll ? 0644 : 0600;
  const auto put = put_whole_file(file, file + ".new", content, {IfTaken::kReplace, mode, false});
  return put.ok() ? outcome_of(facts, false, {}) : failure(put.error());
}

}  // namespace cnio::cnioctl
