// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "cnio/base/result.hpp"

namespace cnio::test {

/// Succeeded? If not, the assertion shows the whole error.
template <class T>
::testing::AssertionResult is_ok(const Result<T>& result) {
  if (result.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "code " << static_cast<unsigned>(result.error().code()) << ": "
                                       << result.error().msg() << " (" << result.error().details() << ")";
}

/// Failed with this code and with all of these words in the message?
template <class T>
::testing::AssertionResult is_error(const Result<T>& result, Code code,
                                    std::initializer_list<std::string_view> words = {}) {
  if (result.ok()) return ::testing::AssertionFailure() << "succeeded";
  if (result.error().code() != code) return is_ok(result) << ", expected code " << static_cast<unsigned>(code);
  for (const std::string_view word : words) {
    if (result.error().msg().find(word) == std::string::npos) return is_ok(result) << ", expected to say " << word;
  }
  return ::testing::AssertionSuccess();
}

/// The details of a failure; empty if it is none.
template <class T>
std::string details(const Result<T>& result) {
  return result.ok() ? std::string() : result.error().details();
}

}  // namespace cnio::test

#define EXPECT_OK(result) EXPECT_TRUE(::cnio::test::is_ok(result))
#define ASSERT_OK(result) ASSERT_TRUE(::cnio::test::is_ok(result))
/// EXPECT_ERROR(result, code, words...)
#define EXPECT_ERROR(result, code, ...) EXPECT_TRUE(::cnio::test::is_error(result, code, {__VA_ARGS__}))
