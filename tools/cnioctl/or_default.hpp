// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "cnio/base/result.hpp"

namespace cnio::cnioctl {

// For what somebody else's file says: what is wrong in it counts as nothing.
template <class T>
T or_default(Result<T> value) {
  return value.ok() ? std::move(value).value() : T();
}

}  // namespace cnio::cnioctl
