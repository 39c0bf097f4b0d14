// systemd's escaping of free text into unit names, as systemd-escape does it: "/" becomes "-", what
// no name may hold becomes "\xHH". Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::unit {

// A letter, a digit, or one of : - _ . and backslash: what a name may hold besides "@".
bool is_name_character(char c) noexcept;

std::string escape_name(std::string_view text);
// Errors: kInvalid for a backslash that begins no "\xHH", and for one that stands for NUL.
base::Result<std::string> unescape_name(std::string_view text);

// The path loses doubled, leading and trailing slashes and "." parts first; "/" gives "-".
// Errors: kInvalid for an empty path and one with "..".
base::Result<std::string> escape_path(std::string_view path);
// Returns an absolute path. Errors: kInvalid for text that no path gives.
base::Result<std::string> unescape_path(std::string_view text);

// The text with everything but printable ASCII and valid UTF-8 as \xHH, for messages.
std::string printable(std::string_view text);

}  // namespace flotilla::unit
