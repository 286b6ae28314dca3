// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "cnio/base/error.hpp"
#include "cnio/protocol/json.hpp"
#include "cnio/protocol/result.hpp"
#include "cnio/protocol/version.hpp"

// What the fuzz targets share: claims that hold for every input.
namespace cnio::fuzz {

inline constexpr std::array kVersions = {
    protocol::SpecVersion::k010, protocol::SpecVersion::k020, protocol::SpecVersion::k030, protocol::SpecVersion::k031,
    protocol::SpecVersion::k040, protocol::SpecVersion::k100, protocol::SpecVersion::k110};

// A claim that does not hold is a finding: libFuzzer keeps the input.
inline void require(bool holds, std::string_view claim, std::string_view shown = {}) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n%.*s\n", static_cast<int>(claim.size()), claim.data(),
               static_cast<int>(shown.size()), shown.data());
  std::abort();
}

inline void check_error(const Error& error) {
  require(static_cast<unsigned>(error.code()) != 0, "an error has a code", error.msg());
  require(!error.msg().empty(), "an error has a message");
}

// An error about what `what` says: it names the key.
inline void check_key_error(const Error& error, Code code) {
  check_error(error);
  require(error.code() == code, "the error has the code of its kind", error.msg());
  require(error.msg().find("key \"") != std::string::npos, "the error names a key", error.msg());
}

// A result can be written if the version has room for it, and what was written is read back as the same.
inline void check_result(const protocol::AddResult& result, protocol::SpecVersion version) {
  const auto text = protocol::format_result(result, version);
  if (!text.ok()) {
    check_error(text.error());
    return require(text.error().code() == Code::kUnsupportedField, "only a lack of room stops it", text.error().msg());
  }
  const auto again = protocol::parse_delegate_result(text.value(), version, "it");
  require(again.ok(), "a written result can be read", text.value());
  const auto text_again = protocol::format_result(again.value(), version);
  require(text_again.ok() && text_again.value() == text.value(), "writing and reading changes nothing", text.value());
}

}  // namespace cnio::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// The body of a target: fuzz_one is called with each input as text.
#define CNIO_FUZZ_TARGET(fuzz_one)                                          \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    fuzz_one(std::string_view(reinterpret_cast<const char*>(data), size));  \
    return 0;                                                               \
  }
