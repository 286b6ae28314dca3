// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/rollback.hpp"

#include <exception>

namespace cnio {
namespace {

// A step that throws must not keep the others from running, nor leave the destructor.
Status attempt(const Rollback::Step& step) {
  try {
    return step();
  } catch (const std::exception& fault) {
    return Error::make(Code::kInternal, fault.what());
  }
}

}  // namespace

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
      if (const Status status = attempt(named.step); !status.ok()) {
        failures.push_back(named.what + ": " + status.error().msg());
      }
    }
  }
  return failures;
}

}  // namespace cnio
