// UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flotilla::unit {

// The length (1 to 4) of the valid sequence the text begins with; 0 if there is none.
std::size_t utf8_sequence_length(std::string_view text) noexcept;
bool is_valid_utf8(std::string_view text) noexcept;
// Requires: utf8_sequence_length(text) != 0.
char32_t utf8_decode(std::string_view text) noexcept;
// Requires: code <= 0x10FFFF.
void utf8_append(std::string& out, char32_t code);

}  // namespace flotilla::unit
