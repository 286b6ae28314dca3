// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/result.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace cnio {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error::make(Code::kInvalidConfig, std::to_string(number) + " is odd");
  return number / 2;
}

Status keep_going(int number, int& reached) {
  CNIO_TRY(half(number));
  reached = 1;
  CNIO_TRY(half(number / 2));
  reached = 2;
  return {};
}

Result<int> quarter(int number) {
  CNIO_LET(const int first, half(number));
  CNIO_LET(const int second, half(first));
  return second;
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_TRUE(half(4).ok());
  EXPECT_EQ(half(4).value(), 2);
  EXPECT_ERROR(half(3), Code::kInvalidConfig, "3 is odd");
}

TEST(Result, AnErrorTypeAsValueIsNotMistakenForFailure) {
  const Result<std::string> text = std::string("an error?");
  EXPECT_TRUE(text.ok());
}

TEST(Result, ContextTouchesFailuresOnly) {
  EXPECT_EQ(half(4).context("halve").value(), 2);
  EXPECT_EQ(half(3).context("halve").error().msg(), "halve: 3 is odd");
  EXPECT_OK(Status().context("nothing"));
}

TEST(Result, MovesValuesThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(CnioTry, ReturnsTheFirstError) {
  int reached = 0;
  EXPECT_OK(keep_going(4, reached));
  EXPECT_EQ(reached, 2);
  reached = 0;
  EXPECT_ERROR(keep_going(6, reached), Code::kInvalidConfig, "3 is odd");
  EXPECT_EQ(reached, 1);
}

// The temporary is gone when the loop's body runs.
TEST(Result, ValueOfATemporaryOutlivesIt) {
  const auto list = []() -> Result<std::vector<std::string>> {
    return std::vector<std::string>{std::string(40, 'a'), std::string(40, 'b')};
  };
  std::string all;
  for (const std::string& each : list().value()) all += each[0];
  EXPECT_EQ(all, "ab");
  static_assert(std::is_same_v<decltype(list().value()), std::vector<std::string>>);
  static_assert(std::is_same_v<decltype(list().error()), Error>);
}

TEST(CnioTry, EvaluatesItsExpressionOnce) {
  int calls = 0;
  const auto work = [&]() -> Status {
    CNIO_TRY([&]() -> Status {
      ++calls;
      return {};
    }());
    return {};
  };
  EXPECT_OK(work());
  EXPECT_EQ(calls, 1);
}

TEST(CnioLet, DeclaresTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_ERROR(quarter(6), Code::kInvalidConfig, "3 is odd");
}

TEST(CnioLet, NestsInLambdas) {
  const auto work = []() -> Result<int> {
    CNIO_LET(const int outer, [&]() -> Result<int> {
      CNIO_LET(const int inner, half(12));
      return half(inner);
    }());
    return outer + 1;
  };
  EXPECT_EQ(work().value(), 4);
}

TEST(CnioLet, AssignsToWhatExists) {
  const auto work = []() -> Result<int> {
    int value = 0;
    CNIO_LET(value, half(10));
    return value;
  };
  EXPECT_EQ(work().value(), 5);
}

}  // namespace
}  // namespace cnio
