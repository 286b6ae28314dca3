// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cnio/base/error_list.hpp"
#include "cnio/base/result.hpp"

namespace cnio::firewall {

// How an attachment's chains are got rid of. Each way is for when the one before it is refused (EBUSY); by the last
// they stay, since a rule of somebody else leads to them, but do nothing any more.
enum class Way { kFirst, kSecond, kEmptyOnly };

// `remove` does it in one way. Tells why the chains stay, if they do.
Result<std::optional<Error>> take_away(const std::function<Status(Way way)>& remove);

// What that came to, for GC.
void collect(ErrorList& errors, const std::string& chain, const Result<std::optional<Error>>& stays);

}  // namespace cnio::firewall
