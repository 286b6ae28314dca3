// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/rollback.hpp"

namespace cnio {

void Rollback::commit() {
  steps_.clear();
  last_.clear();
}

std::vector<std::string> Rollback::run() {
  std::vector<std::string> failures;
  for (auto* steps : {&steps_, &last_}) {
    while (!steps->empty()) {
      const Named named = std::move(steps->back());
      steps->pop_back();
      if (const Status status = named.step(); !status.ok())
        failures.push_back(named.what + ": " + status.error().msg());
    }
  }
  return failures;
}

}  // namespace cnio
