// What can go wrong, as a small set of codes, and the one table that says what each code is called
// on the outside: the HTTP status of the API, the D-Bus error name of the bus, and the exit code of
// a program.
#pragma once

#include <string>
#include <string_view>

namespace flotilla::base {

enum class Errc {
  kInvalid,        // the input is wrong; repeating the call cannot help
  kNotFound,       // the named thing does not exist
  kAlreadyExists,  // the named thing exists and must not
  kConflict,       // the state forbids it now (a condition of a transaction, a conflicting job)
  kDenied,         // the caller may not do this
  kTooLarge,       // over a documented limit
  kUnavailable,    // a part we depend on does not answer; trying again can help
  kTimedOut,       // no answer in time; whether it was done is unknown
  kUnsupported,    // known, and not implemented here
  kInternal,       // our fault, or the machine's (full disk, no memory)
};

struct Error {
  Errc code = Errc::kInternal;
  std::string message;     // one sentence without a final full stop
  int error_number = 0;    // the errno behind it, or 0
  std::string bus_name{};  // a D-Bus error name more exact than the table's, or empty
};

struct ErrorNames {
  int http_status;
  std::string_view bus_error;
  int exit_code;
};

ErrorNames names_of(Errc code) noexcept;
Errc errc_of_errno(int error_number) noexcept;
// The text of strerror, without its thread and locale traps.
std::string describe_errno(int error_number);

}  // namespace flotilla::base
