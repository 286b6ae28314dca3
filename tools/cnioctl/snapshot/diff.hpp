// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cnio/base/result.hpp"
#include "cnio/protocol/json.hpp"

#include "cnioctl/report.hpp"

namespace cnio::cnioctl {

struct Change {
  char sign = '~';   // + is new, - is gone, ~ is another
  std::string kind;  // "pod", "file", "node", "link", "address", "route", "drop", "problem"
  std::string name;
  std::string what = {};

  bool operator==(const Change&) const = default;
};

// What a snapshot has, whichever version wrote it. Errors: code 6 if it is none.
Result<protocol::Json> parse_snapshot(std::string_view text);

// From one snapshot to another; what only one of two versions knows is no change.
std::vector<Change> changes_between(const protocol::Json& before, const protocol::Json& after);

// Exit kFound if there is one.
Outcome diff(const protocol::Json& before, const protocol::Json& after, bool json);

}  // namespace cnio::cnioctl
