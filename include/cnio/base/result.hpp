// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "cnio/base/error.hpp"

namespace cnio {

// A value or the Error that prevented it. [[nodiscard]]: an ignored failure does not compile.
// "Not found" is an answer, not an error: look-ups return Result<std::optional<T>>.
template <class T = std::monostate>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)
  Result() requires std::is_same_v<T, std::monostate>
  = default;

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  // REQUIRES: ok().
  [[nodiscard]] T& value() & { return *std::get_if<0>(&state_); }
  [[nodiscard]] const T& value() const& { return *std::get_if<0>(&state_); }
  // By value, so that what a temporary held may be kept: `for (x : list().value())`.
  [[nodiscard]] T value() && { return std::move(*std::get_if<0>(&state_)); }
  // REQUIRES: !ok().
  [[nodiscard]] const Error& error() const& { return *std::get_if<1>(&state_); }
  [[nodiscard]] Error error() && { return std::move(*std::get_if<1>(&state_)); }

  // The same result; a failure gains one clause in front of its message.
  [[nodiscard]] Result context(std::string_view clause) && {
    if (ok()) return std::move(*this);
    return std::move(*this).error().context(clause);
  }

 private:
  std::variant<T, Error> state_;
};

// Success, or why not.
using Status = Result<>;

// CNIO_TRY(expression): returns the error of a failed Result from the current function.
#define CNIO_TRY(expression) CNIO_TRY_IMPL(CNIO_CONCAT(cnio_result_, __COUNTER__), expression)

// CNIO_LET(declaration, expression): `declaration` takes the value, or the error is returned.
// CNIO_LET(const Link link, find_link(name));
#define CNIO_LET(declaration, expression) CNIO_LET_IMPL(CNIO_CONCAT(cnio_result_, __COUNTER__), declaration, expression)

// The counter gives each use a name of its own: they nest, through lambdas.
#define CNIO_CONCAT(a, b) CNIO_CONCAT_IMPL(a, b)
#define CNIO_CONCAT_IMPL(a, b) a##b
#define CNIO_TRY_IMPL(result, expression)                                           \
  do {                                                                              \
    if (auto result = (expression); !result.ok()) return std::move(result).error(); \
  } while (false)
#define CNIO_LET_IMPL(result, declaration, expression) \
  auto result = (expression);                          \
  if (!result.ok()) return std::move(result).error();  \
  declaration = std::move(result).value()

}  // namespace cnio
