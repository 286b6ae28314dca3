// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// The value of prevResult in a configuration of each version, as CHECK and loopback's ADD read it.
#include "fuzz/fuzz.hpp"

namespace cnio::fuzz {
namespace {

void fuzz_one(std::string_view text) {
  auto value = protocol::parse_json(text);
  if (!value.ok()) {
    check_error(value.error());
    require(value.error().code() == Code::kDecode, "what is not JSON cannot be decoded", value.error().msg());
    return;
  }
  const std::string formatted = protocol::format_json(value.value());
  const auto reread = protocol::parse_json(formatted);
  require(reread.ok() && protocol::format_json(reread.value()) == formatted, "JSON keeps its meaning", formatted);

  protocol::Json config = protocol::Json::object();
  config["prevResult"] = std::move(value).value();
  for (const protocol::SpecVersion version : kVersions) {
    const auto result = protocol::parse_prev_result(protocol::Fields(config), version);
    if (!result.ok()) {
      check_key_error(result.error(), Code::kInvalidConfig);
    } else if (result.value()) {
      take_result(*result.value(), version);
    }
  }
}

}  // namespace
}  // namespace cnio::fuzz

CNIO_FUZZ_TARGET(cnio::fuzz::fuzz_one)
