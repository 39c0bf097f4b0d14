// Result<T>: a value or an Error, with the names of std::expected (C++23). Every fallible call in
// the tree returns one; exceptions are for bugs only.
#pragma once

#include <fmt/format.h>

#include <cassert>
#include <string>
#include <utility>
#include <variant>

#include "base/error.h"

namespace flotilla::base {

// Wraps an Error so that it converts to any Result<T>: `return unexpected(std::move(error));`
class Unexpected {
 public:
  explicit Unexpected(Error error) : error_(std::move(error)) {}
  Error&& take() && { return std::move(error_); }

 private:
  Error error_;
};

inline Unexpected unexpected(Error error) { return Unexpected(std::move(error)); }

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: as std::expected
  Result(Unexpected failure)                                             // NOLINT: as std::expected
      : state_(std::in_place_index<1>, std::move(failure).take()) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  // Requires: has_value().
  T& value() & { return *checked(); }
  const T& value() const& { return *checked(); }
  T&& value() && { return std::move(*checked()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return checked(); }
  const T* operator->() const { return checked(); }
  T value_or(T other) && { return has_value() ? std::move(*checked()) : std::move(other); }

  // Requires: !has_value().
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error& error() & { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  T* checked() {
    assert(has_value());
    return std::get_if<0>(&state_);
  }
  const T* checked() const {
    assert(has_value());
    return std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Unexpected failure) : error_(std::move(failure).take()), failed_(true) {}  // NOLINT

  bool has_value() const noexcept { return !failed_; }
  explicit operator bool() const noexcept { return !failed_; }
  const Error& error() const& { return error_; }
  Error& error() & { return error_; }
  Error&& error() && { return std::move(error_); }

 private:
  Error error_{};
  bool failed_ = false;
};

using Status = Result<void>;

// The usual ways to fail, each with a formatted sentence: what failed, on what, why, what to do.
#define FLOTILLA_DEFINE_FAILURE(name, code)                                         \
  template <typename... Args>                                                       \
  Unexpected name(fmt::format_string<Args...> text, Args&&... args) {               \
    return Unexpected(Error{code, fmt::format(text, std::forward<Args>(args)...)}); \
  }
FLOTILLA_DEFINE_FAILURE(invalid, Errc::kInvalid)
FLOTILLA_DEFINE_FAILURE(not_found, Errc::kNotFound)
FLOTILLA_DEFINE_FAILURE(already_exists, Errc::kAlreadyExists)
FLOTILLA_DEFINE_FAILURE(conflict, Errc::kConflict)
FLOTILLA_DEFINE_FAILURE(denied, Errc::kDenied)
FLOTILLA_DEFINE_FAILURE(too_large, Errc::kTooLarge)
FLOTILLA_DEFINE_FAILURE(unavailable, Errc::kUnavailable)
FLOTILLA_DEFINE_FAILURE(timed_out, Errc::kTimedOut)
FLOTILLA_DEFINE_FAILURE(unsupported, Errc::kUnsupported)
FLOTILLA_DEFINE_FAILURE(internal, Errc::kInternal)
#undef FLOTILLA_DEFINE_FAILURE

// Fails with the text of a system call's errno behind the sentence: system_error(errno, "open {}",
// path) gives "open /x: No such file or directory" under the error code that fits the errno.
template <typename... Args>
Unexpected system_error(int error_number, fmt::format_string<Args...> text, Args&&... args) {
  return Unexpected(Error{errc_of_errno(error_number),
                          fmt::format("{}: {}", fmt::format(text, std::forward<Args>(args)...),
                                      describe_errno(error_number)),
                          error_number});
}

// Puts "where" in front of an error on its way up: return in_context(std::move(r).error(), "unit
// {}", name);
template <typename... Args>
Unexpected in_context(Error error, fmt::format_string<Args...> text, Args&&... args) {
  error.message =
      fmt::format("{}: {}", fmt::format(text, std::forward<Args>(args)...), error.message);
  return Unexpected(std::move(error));
}

}  // namespace flotilla::base

// Passes the error of a Status or Result up; for use in functions that return a Result.
#define FLOTILLA_TRY(expression)                                                \
  do {                                                                          \
    if (auto flotilla_status_ = (expression); !flotilla_status_) {              \
      return ::flotilla::base::unexpected(std::move(flotilla_status_).error()); \
    }                                                                           \
  } while (false)

#define FLOTILLA_CONCAT_INNER(a, b) a##b
#define FLOTILLA_CONCAT(a, b) FLOTILLA_CONCAT_INNER(a, b)
// FLOTILLA_ASSIGN(auto x, f()): x is the value, or the error is passed up.
#define FLOTILLA_ASSIGN(declaration, expression)                         \
  auto FLOTILLA_CONCAT(flotilla_result_, __LINE__) = (expression);       \
  if (!FLOTILLA_CONCAT(flotilla_result_, __LINE__)) {                    \
    return ::flotilla::base::unexpected(                                 \
        std::move(FLOTILLA_CONCAT(flotilla_result_, __LINE__)).error()); \
  }                                                                      \
  declaration = std::move(FLOTILLA_CONCAT(flotilla_result_, __LINE__)).value()
