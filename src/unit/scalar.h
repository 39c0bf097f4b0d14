// The small values of settings: booleans, whole numbers, octal file modes. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace flotilla::unit {

// 1 yes y true t on / 0 no n false f off, in any case. Errors: kInvalid.
base::Result<bool> parse_boolean(std::string_view text);

// Decimal, or with 0x, 0o, 0b in front; a bare leading 0 means octal, as in C.
// Errors: kInvalid for no number, and for one outside min to max.
base::Result<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max);
base::Result<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t max = UINT64_MAX);

// Octal digits, at most 7777.
base::Result<unsigned> parse_mode(std::string_view text);

}  // namespace flotilla::unit
