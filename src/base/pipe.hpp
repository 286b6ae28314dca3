// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <climits>

#include "cnio/base/result.hpp"
#include "cnio/base/unique_fd.hpp"

// What starting processes takes.
namespace cnio {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

// Close-on-exec. Errors: code 5.
Result<Pipe> make_pipe();

// Closes whatever is open from the first to the last. System calls only.
void close_descriptors(int first, int last = INT_MAX);

}  // namespace cnio
